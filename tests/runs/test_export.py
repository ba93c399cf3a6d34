import csv
import io
import json

import pytest

from hartley.runs.export import COLUMNS, rows, to_csv, to_json
from hartley.runs.folder import empty_result
from hartley.runs.plan import Cell


class FakeRun:
    def __init__(self, target="t"):
        cell = Cell(target, "sga", "none", 0, "quick")
        bits = {"kind": "margin_bits", "value": -1.5, "low": None, "high": 0.25, "n": 400, "estimator": "plug-in", "trusted": False}
        rate = {"name": "ASR", "arm": "attacked", "value": 0.9, "low": 0.8, "high": 1.0, "n": 400, "estimator": "cp", "headline": True}
        channel = {
            "name": "image",
            "kind": "jam",
            "rates": [{**rate, "better": "attacker"}],
            "measures": [{"arm": "attacked", "bits": {**bits, "why": "=HYPERLINK(1)", "checks": {}}}],
        }
        self.records = [
            {**empty_result(cell, "k", "measured", ""), "channels": [channel]},
            empty_result(Cell(target, "badclip", "jpeg", 0, "quick"), "k", "failed", "@SUM(1), again"),
        ]

    def cells(self):
        return self.records

    def evidence(self, record, channel):
        raise AssertionError("nothing here needs the table")


def test_a_row_for_each_number_and_one_for_a_cell_without():
    found = rows(FakeRun())
    assert [(row["threat"], row["what"], row["measure"], row["value"]) for row in found] == [
        ("sga", "rate", "ASR", 0.9),
        ("sga", "bits", "margin_bits", -1.5),
        ("badclip", None, None, None),
    ]
    assert all(tuple(row) == COLUMNS for row in found)
    assert json.loads(to_json(FakeRun())) == found


def test_csv_keeps_numbers_and_defuses_formulas():
    table = list(csv.DictReader(io.StringIO(to_csv(FakeRun()), newline="")))
    assert table[1]["value"] == "-1.5" and table[1]["low"] == "" and table[1]["trusted"] == "false"
    assert table[1]["why"] == "'=HYPERLINK(1)"
    assert table[2]["why"] == "'@SUM(1), again"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_starts_a_formula(start):
    table = list(csv.DictReader(io.StringIO(to_csv(FakeRun(target=f"{start}cmd|' /C calc'!A0")), newline="")))
    assert table[0]["target"] == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("number", ["-5", "+1.5", "-1e-3", "-.5"])
def test_text_that_is_a_plain_number_stays_one(number):
    assert next(csv.DictReader(io.StringIO(to_csv(FakeRun(target=number)), newline="")))["target"] == number
