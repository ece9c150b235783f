"""Jobs that have ended, as their launchers would have left them."""

from __future__ import annotations

import json

from ramiel_core.run import jobs


def ended_job(folder, *events, **settings):
    """Id of a job in this cache folder that said these events and asked for these settings."""
    job_id = "00112233aabbccdd"
    home = folder / "jobs" / job_id
    home.mkdir(parents=True)
    (home / "job.json").write_text(json.dumps({"model": "googlenet", **settings}))
    for event in events:
        jobs.tell(home, event)
    return job_id
