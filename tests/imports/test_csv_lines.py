"""Tables as streams of records with line numbers."""

import io
import tracemalloc

import pytest

from service.platform.importing.csv_lines import LONGEST_LINE, CsvLines, Record, delimiter_named, encoding_named


def records(content: bytes, *, encoding: str = "utf-8", delimiter: str = ",") -> list[Record]:
    """Read a whole table."""
    return list(CsvLines(io.BytesIO(content), encoding=encoding_named(encoding), delimiter=delimiter_named(delimiter)))


def cells(content: bytes, *, encoding: str = "utf-8", delimiter: str = ",") -> list[tuple[int, list[str]]]:
    """Read a whole table that has no faults: the line number and the columns of each record."""
    found = records(content, encoding=encoding, delimiter=delimiter)
    assert [record.fault for record in found] == [""] * len(found)
    return [(record.first_line, record.cells) for record in found]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_unix_windows_and_old_macs_end_them(end: bytes) -> None:
    assert cells(end.join([b"a,b", b"c,d"]) + end) == [(1, ["a", "b"]), (2, ["c", "d"])]


def test_the_last_line_need_not_end() -> None:
    assert cells(b"a\nb") == [(1, ["a"]), (2, ["b"])]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert cells(b"\xef\xbb\xbfa,b\n") == [(1, ["a", "b"])]
    assert cells("a,ü\n".encode("utf-16"), encoding="utf-16") == [(1, ["a", "ü"])]


def test_blank_lines_are_passed_over_and_counted() -> None:
    assert cells(b"\na\n\n\nb\n") == [(2, ["a"]), (5, ["b"])]
    assert cells(b"  \na  b\n \n c\n", delimiter="whitespace") == [(2, ["a", "b"]), (4, ["c"])]


def test_a_record_over_several_lines_has_the_number_of_its_first() -> None:
    content = b'a,"1\n2\r\n3"\nb,"say ""hi"", twice"\n'
    assert cells(content) == [(1, ["a", "1\n2\r\n3"]), (4, ["b", 'say "hi", twice'])]
    assert [(record.first_line, record.last_line) for record in records(content)] == [(1, 3), (4, 4)]


@pytest.mark.parametrize(
    ("delimiter", "content"),
    [
        (",", b"a,b"),
        (";", b"a;b"),
        ("|", b"a|b"),
        ("tab", b"a\tb"),
        ("\\t", b"a\tb"),
        ("\t", b"a\tb"),
        ("whitespace", b"\ta \t b  "),
    ],
)
def test_columns_are_separated_as_the_operator_says(delimiter: str, content: bytes) -> None:
    assert cells(content, delimiter=delimiter) == [(1, ["a", "b"])]


def test_bytes_that_do_not_fit_the_encoding_spoil_their_own_column_only() -> None:
    (first, second) = cells(b"a,\xff,c\nd,e,f\n")
    assert (first[1][0], first[1][2], second) == ("a", "c", (2, ["d", "e", "f"]))
    with pytest.raises(UnicodeEncodeError):
        first[1][1].encode()
    assert cells(b"a,\xfc\n", encoding="latin-1") == [(1, ["a", "ü"])]


@pytest.mark.parametrize(
    ("second_line", "said"),
    [
        (b'"b"c', "A quote is not closed, or text follows the closing one"),
        (b'"b', "A quote is not closed, or text follows the closing one"),
        (b'b,"c,d\r', "A quote is not closed, or text follows the closing one"),
        (b"x" * 200_000, "A column is longer than 131,072 characters"),
        (b"x," * LONGEST_LINE, "The line is longer than 1,048,576 characters"),
    ],
)
def test_a_line_that_is_no_csv_is_told_and_the_others_are_read(second_line: bytes, said: str) -> None:
    first, second, *rest = records(b"a\n" + second_line + b'\nc\n"d\ne"\nf')
    assert first == Record(1, 1, ["a"])
    assert (second.first_line, second.last_line, second.cells) == (2, 2, [])
    assert second.fault.startswith(said)
    assert rest == [Record(3, 3, ["c"]), Record(4, 5, ["d\ne"]), Record(6, 6, ["f"])]


def test_a_quote_that_is_not_closed_in_a_long_table_costs_its_own_line() -> None:
    found = records(b'a\n"b\n' + b"c\n" * 100_000)
    assert [record.first_line for record in found if record.fault] == [2]
    assert [record.first_line for record in found if record.cells] == [1, *range(3, 100_003)]


def test_a_long_table_is_not_held_in_memory() -> None:
    class Endless(io.RawIOBase):
        left = 100_000

        def readable(self) -> bool:
            return True

        def readinto(self, into: memoryview) -> int:  # type: ignore[override]
            line = b'1234,"some text",5678\n' if self.left else b""
            self.left -= 1
            into[: len(line)] = line
            return len(line)

    tracemalloc.start()
    lines = CsvLines(io.BufferedReader(Endless()), encoding="utf-8", delimiter=",")
    assert sum(1 for _ in lines) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
