"""If, Loop and Scan whose conditions are constants; and lists of tensors, which then are known."""

from __future__ import annotations

from typing import Any

import torch

from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
MOST_TURNS = 1000  # of a loop that is written out


@operator("If")
def _if(call: Call, *_: Any) -> Any:
    branch = "then_branch" if bool(call.number(0)) else "else_branch"
    return tuple(call.run(call.attribute(branch), []))


@operator("Loop")
def _loop(call: Call, *_: Any) -> Any:
    body = call.attribute("body")
    most = int(call.number(0)) if call.given(0) else None
    goes_on = bool(call.number(1)) if call.given(1) else True
    carried = call.inputs[2:]
    scans: list[list[Tensor]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
    turn = 0
    while goes_on and (most is None or turn < most):
        if turn >= MOST_TURNS:
            raise call.refuse(f"turns more than {MOST_TURNS} times")
        again, *made = call.run(body, [torch.tensor(turn), torch.tensor(True), *carried])
        carried = made[: len(carried)]
        for found, value in zip(scans, made[len(carried) :], strict=True):
            found.append(value)
        turn += 1
        if call.recorder.is_live(again):
            raise call.refuse("goes on for as long as a computed value says")
        goes_on = bool(again)
    if turn == 0 and scans:  # for shapes alone: nobody reads what this turn computes
        _, *made = call.run(body, [torch.tensor(0), torch.tensor(False), *carried])
        none = (torch.empty((0, *x.shape), dtype=x.dtype) for x in made[len(carried) :])
        return (*carried, *none)
    return (*carried, *(torch.stack(found) for found in scans))


@operator("Scan", since=9)
def _scan(call: Call, *inputs: Any) -> Any:
    body, count = call.attribute("body"), call.attribute("num_scan_inputs")
    carried, sequences = list(inputs[:-count]), inputs[-count:]
    outputs = len(body.output) - len(carried)
    into = call.attribute("scan_input_axes", [0] * count)
    turned = call.attribute("scan_input_directions", [0] * count)
    length = sequences[0].shape[into[0]]
    if length > MOST_TURNS or not length:
        raise call.refuse(f"scans {length} elements, where 1 to {MOST_TURNS} are written out")
    scans: list[list[Tensor]] = [[] for _ in range(outputs)]
    for turn in range(length):
        given = [
            torch.select(x, axis, length - 1 - turn if back else turn)
            for x, axis, back in zip(sequences, into, turned, strict=True)
        ]
        made = call.run(body, [*carried, *given])
        carried = made[: len(carried)]
        for found, value in zip(scans, made[len(carried) :], strict=True):
            found.append(value)
    axes = call.attribute("scan_output_axes", [0] * outputs)
    backwards = call.attribute("scan_output_directions", [0] * outputs)
    stacked = [
        torch.stack(found[::-1] if back else found, axis)
        for found, axis, back in zip(scans, axes, backwards, strict=True)
    ]
    return (*carried, *stacked)


# --- lists, which are known while the model is imported --------------------------------------


@operator("SequenceEmpty")
def _sequence_empty(_: Call) -> Any:
    return ([],)


@operator("SequenceConstruct")
def _sequence_construct(_: Call, *inputs: Tensor) -> Any:
    return (list(inputs),)


@operator("SequenceInsert")
def _sequence_insert(call: Call, values: list[Tensor], value: Tensor, *_: Any) -> Any:
    at = int(call.number(2)) if call.given(2) else len(values)
    return ([*values[:at], value, *values[at:]],)


@operator("SequenceErase")
def _sequence_erase(call: Call, values: list[Tensor], *_: Any) -> Any:
    at = int(call.number(1)) % len(values) if call.given(1) else len(values) - 1
    return ([*values[:at], *values[at + 1 :]],)


@operator("SequenceAt")
def _sequence_at(call: Call, values: list[Tensor], _: Tensor) -> Tensor:
    return values[int(call.number(1))]


@operator("SequenceLength")
def _sequence_length(_: Call, values: list[Tensor]) -> Tensor:
    return torch.tensor(len(values))


@operator("SequenceMap", since=17)
def _sequence_map(call: Call, values: list[Tensor], *more: Any) -> Any:
    """Not by ONNX's own definition: making that of a list crashes the process."""
    if not isinstance(values, list):
        raise call.wrong("reads a tensor where it needs a list of them")
    body = call.attribute("body")
    made = [
        call.run(body, [value, *(m[i] if isinstance(m, list) else m for m in more)])
        for i, value in enumerate(values)
    ]
    return tuple([results[k] for results in made] for k in range(len(body.output)))


@operator("ConcatFromSequence")
def _concat_from_sequence(call: Call, values: list[Tensor]) -> Tensor:
    axis = call.attribute("axis")
    return torch.stack(values, axis) if call.attribute("new_axis", 0) else torch.cat(values, axis)


@operator("SplitToSequence")
def _split_to_sequence(call: Call, x: Tensor, *_: Any) -> Any:
    axis = call.attribute("axis", 0)
    if not call.given(1):
        parts = torch.split(x, 1, axis)
        keep = call.attribute("keepdims", 1)
        return ([part if keep else torch.squeeze(part, axis) for part in parts],)
    sizes = call.known(1)
    return (list(torch.split(x, sizes.tolist() if sizes.dim() else int(sizes), axis)),)
