"""Every domain error of registration has its place in the one map to HTTP."""

from collections.abc import Iterator

from dealreg_registration.api.errors import STATUS, problem_for
from dealreg_registration.domain import errors, programme_errors


def subclasses(kind: type[errors.DomainError]) -> Iterator[type[errors.DomainError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_the_map_is_complete_and_codes_are_told_apart() -> None:
    assert programme_errors.AlreadyActive in STATUS
    everything = list(subclasses(errors.DomainError))
    assert set(everything) == set(STATUS)
    assert len({kind.code for kind in everything}) == len(everything)
    for kind in everything:
        problem = problem_for(kind("why"))
        assert problem.status in (403, 404, 409, 412, 422)
        assert problem.status == 404 or problem.code == kind.code.replace("_", "-")
