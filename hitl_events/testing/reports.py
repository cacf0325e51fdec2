"""How attempts of steps end when nobody runs them: the reports that the executor would make."""

from __future__ import annotations

from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.recipes import values
from hitl_events.recipes.endings import message_of, name_of_error
from hitl_events.recipes.step import StepSpec


def completed(start: StepStart, output: object) -> StepReport:
    """It returned `output`; `InvalidInput` where that is not what the step's annotation says."""
    spec: StepSpec = start.request.spec
    packed = values.dump(output)
    if start.request.key[0] == "step":
        values.check(packed, values.return_type(spec.function))
    return _report(start, output=packed)


def failed(start: StepStart, error: BaseException) -> StepReport:
    """It raised `error`; its `Retry` says whether it is tried again."""
    spec = start.request.spec
    again = spec.retry.again(error, start.attempt, once=spec.once)
    return _report(
        start,
        error=name_of_error(error),
        message=message_of(error),
        retry_in=spec.retry.pause(start.attempt) if again else None,
    )


def timed_out(start: StepStart) -> StepReport:
    """It took too long: a failure, or for a `once` step a question to a human."""
    if start.request.spec.once:
        return _report(start, uncertain=True)
    return failed(start, TimeoutError("expected a result in time, found none"))


def _report(start: StepStart, **how: object) -> StepReport:
    return StepReport(
        run_id=start.run_id,
        key=start.request.key,
        attempt=start.attempt,
        args_digest=start.request.args_digest,
        duration_us=1000,
        **how,  # type: ignore[arg-type]  # the fields that say how it ended
    )
