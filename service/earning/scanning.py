"""What an expression says before the library sees it: its words, and whether it stays within what is allowed. Pure.

CEL's library dies of long chains, recurses by brackets and has no limits of its own for what an evaluation costs. So
`lexing` reads the source first, into words of which only plain ones are known; here brackets, loops and names are
looked at. What passes is written anew from the words, with each text literal escaped: the library reads what was read
here and nothing else, whatever quotes, comments or characters the source has.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from service.earning.lexing import Unfit, Word
from service.earning.vocabulary import (
    BUILT_IN,
    FREE,
    FUNCTIONS,
    ITEMS,
    LOOPS,
    METHODS,
    SEEN,
    VARIABLES,
    FactKind,
    ItemFacts,
)

DEEPEST: Final = 16
MOST_ENTRIES: Final = 100
MOST_LOOPS: Final = 5
MOST_FILTERS: Final = 2
"""A filter copies what it has found already for each further one: 100 items cost it up to 7 ms."""
MOST_WORDS_IN_LOOPS: Final = 256
MOST_KEYS: Final = 20
"""How often values of the caller's may be named, which may be lists and are copied each time."""
MOST_KEYS_IN_LOOPS: Final = 3

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_KEYWORDS: Final = _CONSTANTS | {"in"}


class _Bracket(NamedTuple):
    begin: int
    end: int
    commas: list[int]


class _Loop(NamedTuple):
    name: str
    begin: int
    """The word behind the comma that follows the name."""
    end: int
    is_over_items: bool


class Scanned(NamedTuple):
    """An expression as the library is given it, and which members it names, dotted."""

    words: list[Word]
    references: frozenset[str]


def scan(words: list[Word], kind: FactKind) -> Scanned:
    """Look at an expression. Raises Unfit: syntax, too_costly, unknown_variable, unknown_function.

    A variable and its member become one name, `flat_name`, and an item a list of its fields: to give the library maps
    takes more than twice as long.
    """
    reader = _Reader(words, SEEN[kind], BUILT_IN.get(kind))
    reader.read()
    within = {at + behind for at in reader.members for behind in (1, 2)}
    flat = [word._replace(text=reader.members.get(at, word.text)) for at, word in enumerate(words) if at not in within]
    return Scanned(flat, frozenset(reader.references))


def flat_name(path: str) -> str:
    """Return what the library knows a member as. No loop's own name begins with a line."""
    return "_" + path.replace(".", "_")


class _Reader:
    """Looks at the words of one expression."""

    def __init__(
        self, words: list[Word], variables: Mapping[str, type[Struct]], properties: tuple[str, ...] | None
    ) -> None:
        self._words = words
        self._variables = variables
        self._properties = properties
        """All that there are; None: they are the caller's."""
        self._brackets: dict[int, _Bracket] = {}
        """By both ends."""
        self._loops: dict[int, _Loop] = {}
        """By the word of the macro."""
        self.members = dict[int, str]()
        """Where a member of a variable is named, and what the library knows it as."""
        self._keys = list[int]()
        """Where keys of the caller's are named."""
        self.references: set[str] = set()

    def read(self) -> None:
        """Look at all of it. Raises Unfit."""
        self._find_brackets()
        self._find_loops()
        for at in range(len(self._words)):
            if self._sign(at) == ".":
                if not self._ends_operand(at - 1) or self._kind(at - 1) == "number" or not self._name(at + 1):
                    raise self._unfit("syntax", at, "stands a dot that joins nothing.")
            elif self._sign(at) == "{" and self._ends_operand(at - 1):
                raise self._unfit("syntax", at, "stands a bracket that follows a value.")
            elif self._sign(at) == "+" and self._is_in_loop(at):
                raise self._unfit("too_costly", at, "something is added inside a loop: texts would grow without end.")
            elif self._sign(at + 1) == "(" and self._name(at) not in {"", *_KEYWORDS}:
                self._check_function(at)
        for at in range(len(self._words)):
            if self._name(at) not in {"", *_KEYWORDS} and self._sign(at - 1) != "." and self._sign(at + 1) != "(":
                self._check_variable(at)

    # What stands where; outside of the expression there is nothing.

    def _kind(self, at: int) -> str:
        return self._words[at].kind if 0 <= at < len(self._words) else ""

    def _sign(self, at: int) -> str:
        return self._words[at].text if self._kind(at) == "sign" else ""

    def _name(self, at: int) -> str:
        return self._words[at].text if self._kind(at) == "name" else ""

    def _unfit(self, reason: str, at: int, detail: str) -> Unfit:
        return Unfit(reason, f"At character {self._words[at].place} {detail}")

    def _ends_operand(self, at: int) -> bool:
        """Tell whether a value ends here, so that a bracket behind it is a call, an index or a message."""
        if self._kind(at) == "name":
            return self._name(at) != "in"
        return self._kind(at) in {"text", "number"} or self._sign(at) in {")", "]", "}"}

    # Brackets and lists.

    def _find_brackets(self) -> None:
        opened = list[_Bracket]()
        for at, word in enumerate(self._words):
            if word.kind != "sign":
                continue
            if word.text in _CLOSING:
                if len(opened) == DEEPEST:
                    raise self._unfit("too_costly", at, f"brackets stand more than {DEEPEST} deep inside one another.")
                opened.append(_Bracket(at, at, []))
            elif word.text == "," and opened:
                opened[-1].commas.append(at)
            elif word.text in _CLOSING.values():
                if not opened or _CLOSING[self._sign(opened[-1].begin)] != word.text:
                    raise self._unfit("syntax", at, "closes a bracket that isn't open.")
                bracket = opened.pop()._replace(end=at)
                if len(bracket.commas) >= MOST_ENTRIES:
                    detail = f"stands a list of more than {MOST_ENTRIES} entries."
                    raise self._unfit("too_costly", bracket.begin, detail)
                self._brackets[bracket.begin] = self._brackets[at] = bracket
        if opened:
            raise self._unfit("syntax", opened[-1].begin, "opens a bracket that is not closed.")

    def _is_plain_list(self, end: int) -> bool:
        """Tell whether the bracket that ends here is a list of numbers, texts and constants, written out."""
        begin = self._brackets[end].begin
        if self._sign(begin) != "[" or self._ends_operand(begin - 1):
            return False
        inside = range(begin + 1, end)
        return all(
            self._kind(at) in {"text", "number"} or self._sign(at) in {",", "-"} or self._name(at) in _CONSTANTS
            for at in inside
        )

    # Loops.

    def _find_loops(self) -> None:
        for at in range(len(self._words)):
            if self._name(at) not in LOOPS or self._sign(at - 1) != "." or self._sign(at + 1) != "(":
                continue
            if self._is_in_loop(at):
                raise self._unfit("too_costly", at, "a loop stands inside another one.")
            bracket = self._brackets[at + 1]
            variable = self._name(at + 2)
            is_free = variable not in VARIABLES and variable not in _KEYWORDS and not variable.startswith("_")
            if bracket.commas != [at + 3] or not variable or not is_free:
                detail = "a loop needs a name of its own and a condition: exists(i, i.amount > 5)."
                raise self._unfit("syntax", at, detail)
            self._loops[at] = _Loop(variable, at + 4, bracket.end, self._goes_through_items(at))
        filters = sum(self._name(at) == "filter" for at in self._loops)
        if len(self._loops) > MOST_LOOPS or filters > MOST_FILTERS:
            detail = f"An expression has at most {MOST_LOOPS} loops, of which {MOST_FILTERS} are filters."
            raise Unfit("too_costly", detail)
        if sum(loop.end - loop.begin for loop in self._loops.values()) > MOST_WORDS_IN_LOOPS:
            detail = f"The conditions of loops have at most {MOST_WORDS_IN_LOOPS} words, numbers, texts and signs."
            raise Unfit("too_costly", detail)

    def _is_in_loop(self, at: int) -> bool:
        return self._loop_around(at) is not None

    def _loop_around(self, at: int) -> _Loop | None:
        return next((loop for loop in self._loops.values() if loop.begin <= at < loop.end), None)

    def _goes_through_items(self, macro: int) -> bool:
        """Tell whether a loop goes through a purchase's items, or through another list. Raises Unfit for anything else.

        The lists are those whose length is bounded: the items, what a filter left of a list, a list that is written
        out, what a property of an activity may hold.
        """
        end = macro - 2
        if self._sign(end) == ")" and self._brackets[end].begin - 1 in self._loops:
            filtered = self._brackets[end].begin - 1
            if self._name(filtered) == "filter":
                return self._loops[filtered].is_over_items
        elif self._sign(end) == "]" and self._is_plain_list(end):
            return False
        else:
            path = self._path_to(end)
            if path == ITEMS:
                return True
            if any(path.startswith(f"{free}.") for free in FREE):
                return False
        detail = "a loop goes through purchase.items, a list among properties or one that is written out only."
        raise self._unfit("too_costly", macro, detail)

    def _path_to(self, end: int) -> str:
        """Return the dotted path that ends here, empty where it doesn't begin with a variable."""
        names = list[str]()
        while True:
            if self._sign(end) == "]" and self._brackets[end].begin == end - 2 and self._kind(end - 1) == "text":
                names.append(self._words[end - 1].text)
                end -= 3
            elif self._name(end) and self._sign(end - 1) == ".":
                names.append(self._name(end))
                end -= 2
            else:
                root = self._name(end)
                return ".".join([root, *reversed(names)]) if root in VARIABLES else ""

    # Names.

    def _check_function(self, at: int) -> None:
        name = self._name(at)
        if (name in METHODS or at in self._loops) if self._sign(at - 1) == "." else name in FUNCTIONS:
            if name == "has":
                self._check_has(at)
            return
        if name == "matches":
            detail = "regular expressions aren't taken, since some of them take for ever: startsWith and contains are."
        elif name == "map":
            detail = "map isn't taken, since it makes values that grow without end: exists, all and filter are."
        else:
            known = ", ".join(sorted(FUNCTIONS | METHODS | LOOPS))
            detail = f"stands the name of no function that is known here: there are {known}."
        raise self._unfit("unknown_function", at, detail)

    def _check_has(self, at: int) -> None:
        asked, loop = self._name(at + 2), self._loop_around(at)
        is_item = loop is not None and loop.is_over_items and loop.name == asked
        if is_item or (asked in VARIABLES and f"{asked}.{self._name(at + 4)}" not in FREE):
            detail = "has asks for an attribute or a property; all else is there, or null: compare it with null."
            raise self._unfit("syntax", at, detail)

    def _check_variable(self, at: int) -> None:
        if at - 2 in self._loops:
            return
        name, loop = self._name(at), self._loop_around(at)
        if loop is not None and loop.name == name:
            if loop.is_over_items:
                member = self._refer(at, ITEMS, ItemFacts.__struct_fields__).rpartition(".")[2]
                self.members[at] = f"{name}[{ItemFacts.__struct_fields__.index(member)}]"
            return
        if name not in self._variables:
            known = ", ".join(sorted(self._variables))
            raise self._unfit("unknown_variable", at, f"stands the name of no variable: there are {known}.")
        path = self._refer(at, name, self._variables[name].__struct_fields__)
        self.members[at] = flat_name(path)
        if path == ITEMS:
            self._check_items(at)
        elif path in FREE:
            self._refer_to_key(at + 3, path)

    def _refer(self, at: int, path: str, members: tuple[str, ...]) -> str:
        """Note which member of the variable here is named, and return the path to it. Raises Unfit."""
        member = self._name(at + 2) if self._sign(at + 1) == "." else ""
        if member not in members or self._sign(at + 3) == "(":
            detail = f"one of its members must be named, behind a dot: {', '.join(members)}."
            raise self._unfit("unknown_variable", at, f"stands a variable: {detail}")
        whole = f"{path}.{member}"
        if whole not in FREE:
            self.references.add(whole)
        return whole

    def _refer_to_key(self, at: int, path: str) -> None:
        """Note which key of a map of the caller's is named behind it. Raises Unfit."""
        key = ""
        if self._sign(at) == "." and self._sign(at + 2) != "(":
            key = self._name(at + 1)
        elif self._sign(at) == "[" and self._kind(at + 1) == "text" and self._sign(at + 2) == "]":
            key = self._words[at + 1].text
        if not key:
            member = path.rpartition(".")[2]
            detail = f'one key must be named: {member}.size or {member}["shoe-size"].'
            raise self._unfit("unknown_variable", at - 1, f"stands a map: {detail}")
        if path == "activity.properties" and self._properties is not None and key not in self._properties:
            detail = f"stands the name of no property of it: there are {', '.join(self._properties)}."
            raise self._unfit("unknown_variable", at + 1, detail)
        self.references.add(f"{path}.{key}")
        self._keys.append(at)
        if len(self._keys) > MOST_KEYS or sum(map(self._is_in_loop, self._keys)) > MOST_KEYS_IN_LOOPS:
            detail = f"there are more than {MOST_KEYS} attributes and properties, or {MOST_KEYS_IN_LOOPS} in loops."
            raise self._unfit("too_costly", at, detail)

    def _check_items(self, at: int) -> None:
        """Look at what becomes of a purchase's items. They are copied wherever they are named. Raises Unfit."""
        if self._is_in_loop(at):
            raise self._unfit("too_costly", at, "a loop names the items again, so that each would look at all of them.")
        behind = at + 3
        while self._sign(behind) == "." and behind + 1 in self._loops:
            behind = self._brackets[behind + 2].end + 1
            if self._name(self._brackets[behind - 1].begin - 1) != "filter":
                return
        if self._sign(behind) == "." and self._name(behind + 1) == "size":
            return
        is_argument = self._sign(at - 1) == "(" and self._name(at - 2) == "size" and self._sign(at - 3) != "."
        if not (is_argument and self._sign(behind) == ")"):
            detail = "the items are asked by all, exists, exists_one, filter or size, and by nothing else."
            raise self._unfit("too_costly", at, detail)
