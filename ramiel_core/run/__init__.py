"""Program -> timed runs, in forked workers."""
