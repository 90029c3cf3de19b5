"""Judging a file, as a browser shows it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from chromium import ROWS, chats, download, expect, module, scored, upload

from harmgauge.verdict import sigmoid

pytestmark = pytest.mark.slow


def test_a_file_is_scored_sorted_filtered_and_downloaded(visit, gauge):
    page = visit("#file", viewport={"width": 1280, "height": 800})
    rows, content = chats()
    upload(page, "chats.csv", content)
    scored(page)
    expect(page.locator("#file-say")).to_contain_text("1,000 rows")
    expect(page.locator("#file-say")).to_contain_text("1 not judged")

    blurred = page.locator("#table-body .blurred[aria-hidden=true]")
    expect(page.locator("#table-body .texts")).to_have_count(50)
    expect(blurred).to_have_count(50)
    page.locator("#table-body button").first.click()
    expect(blurred).to_have_count(49)
    page.check("#show-texts")
    expect(blurred).to_have_count(0)

    by_cost, place = page.locator("th:has(#sort-cost)"), page.locator("#page-place")
    expect(by_cost).to_have_attribute("aria-sort", "descending")
    costs = shown_costs(page)
    assert costs == sorted(costs, reverse=True)
    page.click("#sort-cost")
    expect(by_cost).to_have_attribute("aria-sort", "ascending")
    costs = shown_costs(page)
    assert costs == sorted(costs)
    page.click("#page-after")
    expect(place).to_have_text("51–100 of 1,000 rows")
    page.fill("#search", "NUMBER 77")
    expect(place).to_have_text("1–11 of 11 rows")
    page.fill("#search", "")
    page.select_option("#only", "unjudged")
    expect(page.locator("#table-body")).to_contain_text("The row has 1 cell, the header has 2.")

    table = list(
        csv.DictReader(io.StringIO(download(page, "csv").removeprefix("\ufeff"), newline=""))
    )
    assert len(table) == ROWS
    assert [table[0]["prompt"], table[0]["response"]] == ["'" + rows[0][0], rows[0][1]]
    assert [table[1]["prompt"], table[1]["response"]] == [rows[1][0], "'+1 for this"]
    assert [table[2]["prompt"], table[2]["response"]] == ["' @cmd", "-5"]
    assert table[3]["cost"] == ""
    assert "header has 2" in table[3]["error"]
    assert {row["direction"] for row in table} == {"positive_is_unsafe"}
    some = [0, 1, 2, 4, 500, 999]
    expected = gauge.score([dict(zip(("prompt", "response"), rows[i], strict=True)) for i in some])
    assert [float(table[i]["cost"]) for i in some] == pytest.approx(expected.tolist(), abs=1e-6)

    lines = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert lines[0]["prompt"] == rows[0][0]
    assert lines[0]["probability"] == pytest.approx(sigmoid(lines[0]["cost"]))
    assert lines[0]["unsafe"] is (lines[0]["cost"] >= 0)
    page.check("#only-shown")
    assert len(download(page, "jsonl").splitlines()) == 1


def shown_costs(page):
    cells = page.locator("#table-body td:nth-child(2)").all_inner_texts()
    return [float(each.replace("−", "-")) for each in cells]


def test_json_lines_with_bad_rows_and_columns_to_choose(visit, gauge):
    page = visit("#file")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    lines = [
        json.dumps({"said": "How do I bake bread?", "cost": 7}),
        "{broken",
        json.dumps({"said": 3}),
        json.dumps({"talk": messages}),
    ]
    upload(page, "chats.jsonl", "\n".join(lines).encode())
    page.wait_for_selector("text=Which columns hold the texts?")
    expect(page.locator("#start")).to_be_disabled()
    page.select_option("#column-prompt", label="said")
    page.select_option("#column-messages", label="talk")
    page.click("#start")
    scored(page)
    rows = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert rows[0]["input_cost"] == 7
    assert rows[0]["cost"] == pytest.approx(gauge.verdict("How do I bake bread?").cost, abs=1e-6)
    assert rows[1]["error"] == "Line 2 is not valid JSON."
    assert rows[2]["error"] == "The prompt is no text but a number."
    assert rows[3]["cost"] == pytest.approx(gauge.verdict(messages).cost, abs=1e-6)

    page.select_option("#column-messages", label="none")  # what was scored no longer holds
    page.click("#start")
    scored(page)
    again = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert again[0]["cost"] == pytest.approx(rows[0]["cost"], abs=1e-4)  # in another batch
    assert again[3]["error"] == "There is nothing in the columns to judge."


def test_a_csv_keeps_its_separator(visit):
    page = visit("#file")
    upload(page, "said.csv", b"prompt;note\r\nHi;x,y\r\n")
    scored(page)
    text = download(page, "csv")
    assert text.startswith("\ufeffprompt;note;cost;")
    assert '\nHi;"x,y";' in text


def test_a_row_that_the_server_refuses_fails_alone(visit, gauge):
    page = visit("#file")
    rows = [{"prompt": f"Hello {i}"} for i in range(9)]
    rows[4] = {"messages": ["no object"]}
    upload(page, "chats.jsonl", "\n".join(map(json.dumps, rows)).encode())
    scored(page)
    rows = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert [row["error"] is None for row in rows] == [i != 4 for i in range(9)]
    visit.complaints[:] = [text for text in visit.complaints if "status of 4" not in text]


def test_a_file_can_be_cancelled_and_gone_on_with(visit):
    page = visit("#file")
    held = []
    page.route("**/v1/score", lambda route: held.append(route))
    upload(page, "chats.csv", chats(200)[1])
    page.wait_for_selector("#cancel")
    leave = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert not page.evaluate(leave)  # the browser asks whether to
    page.click("#cancel")
    page.wait_for_selector("text=Cancelled.")
    page.unroute("**/v1/score")
    page.click("#start")
    scored(page)
    expect(page.locator("#file-say")).not_to_contain_text("to come")
    assert page.evaluate(leave)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no rows"), (b"prompt\n\xff\xfe", "not UTF-8"), (b'prompt\n"open', "never closed")],
)
def test_a_file_that_cannot_be_read_says_why(visit, content, message):
    page = visit("#file")
    upload(page, "chats.csv", content)
    page.wait_for_selector(f"#file-say[data-problem=true] >> text=/^chats.csv: .*{message}/")


def read_csv(page, *pieces):
    return page.evaluate(
        """(pieces) => import('/page/csv.js').then(({ CsvReader }) => {
          const reader = new CsvReader();
          return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
        })""",
        pieces,
    )


def test_csv_is_read_as_it_is_written(visit):
    page = visit(ready=False)
    rows = [["a", "b c"], ['say "hi"', "x,y"], ["two\r\nlines", ""], ["", '"'], ["🐷", " s "]]
    for end in ("\r\n", "\n", "\r"):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator=end).writerows(rows)
        text = "\ufeff" + buffer.getvalue()
        assert read_csv(page, text) == rows
        assert read_csv(page, *text) == rows
        assert read_csv(page, text.rstrip("\r\n")) == rows
    assert read_csv(page, "a;b\n1,5;2\n\n3;4\n") == [["a", "b"], ["1,5", "2"], ["3", "4"]]
    assert read_csv(page, "a\tb\n1\t2") == [["a", "b"], ["1", "2"]]
    assert read_csv(page, 'text\n""\nx') == [["text"], [""], ["x"]]
    assert read_csv(page, "a,b\n1,\n") == [["a", "b"], ["1", ""]]


def test_json_keeps_its_columns_and_its_numbers(visit):
    page = visit(ready=False)
    rows = [
        {"constructor": "Hello", "id": 12345678901234567890, "share": 1.0},
        {"__proto__": "Hi", "cost": 1, "text": 1234567890123456789},
    ]
    columns = ["constructor", "id", "share", "__proto__", "cost", "text"]
    for name, content in {
        "a.jsonl": "\r\n".join(map(json.dumps, rows)),
        "lines.json": "\n\n".join(map(json.dumps, rows)),
        "list.json": json.dumps(rows, indent=1),
    }.items():
        read = page.evaluate(
            """async ([content, name]) => {
              const [{ readRows }, { csvPieces, jsonlPieces }, { exchangeOf }] = await Promise.all(
                ["rows", "download", "columns"].map((each) => import(`/page/${each}.js`)),
              );
              const { rows, columns } = await readRows(new File([content], name));
              const failure = (prompt) => {
                try {
                  return exchangeOf(rows[1].values, { prompt, response: null, messages: null });
                } catch ({ message }) {
                  return message;
                }
              };
              return {
                columns,
                csv: [...csvPieces(rows, columns, () => 0, ",")].join(""),
                jsonl: [...jsonlPieces(rows, () => 0)].join(""),
                failures: [failure("constructor"), failure("text")],
              };
            }""",
            [content, name],
        )
        assert read["columns"] == columns
        lines = [json.loads(line) for line in read["jsonl"].splitlines()]
        for line, row in zip(lines, rows, strict=True):
            assert row.items() <= {**line, "cost": 1}.items()
        assert lines[1]["input_cost"] == 1
        table = list(csv.reader(io.StringIO(read["csv"].removeprefix("\ufeff"))))
        assert table[1][:6] == ["Hello", "12345678901234567890", "1.0", "", "", ""]
        assert table[2][:6] == ["", "", "", "Hi", "1", "1234567890123456789"]
        assert read["failures"] == [
            "There is nothing in the columns to judge.",
            "The prompt is no text but a number.",
        ]


def test_no_cell_is_a_formula(visit):
    page = visit(ready=False)
    bad = [
        "=1+1",
        "+cmd",
        "-x",
        "@x",
        "\tx",
        "\rx",
        " =1",
        '"=1"',
        "'=1",
        "＝1",
        "-1+1",
        "- item",
    ]
    assert module(page, "csv.js", f"{json.dumps(bad)}.map((cell) => m.neutralised(cell))") == [
        f"'{cell}" for cell in bad
    ]
    good = ["", "x", "a=1", "-5", "+3.5", "-1.5e-7", "1-2", "a@b.c", "a\n-5\n- b\n+ c", "a, -b"]
    assert module(page, "csv.js", f"{json.dumps(good)}.map((cell) => m.neutralised(cell))") == good
    # Where another separator is expected, a cell begins in the midst of one.
    within = {"a;=1": "a;'=1", "a\t ＝1": "a\t' ＝1", 'a\r\n"-1+f(1)': "a\r\n'\"-1+f(1)"}
    within |= {"a\n- f(1)": "a\n'- f(1)", "a;@b;-5": "a;'@b;-5", "\n=1": "'\n'=1"}
    within = within.items()
    cells = json.dumps([cell for cell, _ in within])
    written = [cell for _, cell in within]
    assert module(page, "csv.js", f"{cells}.map((cell) => m.neutralised(cell))") == written
    assert module(page, "csv.js", "m.csvLine(['a,=1;=1'], ';')") == '"a,\'=1;=1"\r\n'
    assert module(page, "csv.js", "m.csvLine(['a\"b', '=x', ''])") == '"a""b",\'=x,\r\n'


def test_code_points_become_utf_16(visit):
    page = visit(ready=False)
    text = "a🐷é👩‍🚀z"
    offsets = [0, 1, 2, 3, len(text) - 1, len(text), 99]
    units = module(page, "spans.js", f"m.toUtf16({json.dumps(text)}, {offsets})")
    assert units == [len(text[:i].encode("utf-16-le")) // 2 for i in offsets]
    spans = [{"start": 3, "end": 6}, {"start": 1, "end": 2}]
    pieces = module(page, "spans.js", f"m.pieces({json.dumps(text)}, {json.dumps(spans)})")
    assert [(each["text"], each["span"] is not None) for each in pieces] == [
        ("a", False),
        ("🐷", True),
        ("é", False),
        ("👩‍🚀", True),
        ("z", False),
    ]
