"""A row of a batch is judged before anything is written: what was forgotten in it is not sent as if it were meant."""

from notifications.batches.judging import Fit, Judge
from notifications.batches.model import RefusedRow
from notifications.batches.reading import Told
from tests.builders_texts import READY_VALUES, a_text


def told(**changes: str) -> Told:
    return Told(1, "phone", "13800138000", None, {**READY_VALUES, **changes})


def test_an_empty_cell_is_a_forgotten_one_also_in_a_gap_that_may_stay_empty() -> None:
    text = a_text()
    assert text.placeholders["hall"].accepts("")
    judge = Judge(text, "live")
    assert isinstance(judge.judge(told()), Fit)
    for name in ("hall", "申请人"):
        refused = judge.judge(told(**{name: ""}))
        assert isinstance(refused, RefusedRow)
        assert (refused.code, refused.field) == ("services.values_refused", name)
