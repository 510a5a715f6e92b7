"""JavaScript without what only a reader needs: comments, indentation, spaces between signs.

A notebook stores the widget's module once for each workbench. Names stay as they are, strings,
templates and regular expressions are copied letter for letter, and a line break goes only where
the statement cannot end, so that automatic semicolons stay where they were.
"""

from __future__ import annotations

import re

STRING = r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'"
REGEX = r"/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*"
TOKEN = re.compile(rf"(?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)|(?P<string>{STRING})|(?P<word>[\w$]+)"
                   r"|(?P<sign>.)", re.DOTALL)
BEFORE_REGEX = set("(,=:[!&|?{};+-*%<>~^")  # after these a slash begins a regular expression
WORDS_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new"}
OPEN, CLOSE = set("{([,;=<>&|?:*%!"), set("})],;.?:&|=")


def shrink(source: str) -> str:
    """The same module in fewer letters."""
    out: list[str] = []
    at, gap = 0, ""
    while at < len(source):
        kind, text = next_token(source, at, out[-1] if out else "")
        at += len(text)
        if kind == "space":
            gap = "\n" if "\n" in text else " "
            continue
        if gap and out and needed(out[-1], gap, text):
            out.append(gap)
        gap = ""
        out.append(text)
    return "".join(out) + "\n"


def next_token(source: str, at: int, before: str) -> tuple[str, str]:
    """What stands at `at`: its kind and its text; `before` is the last token that was kept."""
    if source[at] == "`":
        return "string", source[at:template_end(source, at + 1)]
    begins = not before or before in WORDS_BEFORE_REGEX or before[-1] in BEFORE_REGEX
    if begins and (found := re.compile(REGEX).match(source, at)) \
            and not source.startswith(("//", "/*"), at):
        return "string", found.group()
    found = TOKEN.match(source, at)
    return found.lastgroup, found.group()


def template_end(source: str, at: int) -> int:
    """The place behind a template's closing quote; `at` is behind the opening one."""
    while source[at] != "`":
        if source[at] == "\\":
            at += 2
        elif source.startswith("${", at):
            at = braces_end(source, at + 2)
        else:
            at += 1
    return at + 1


def braces_end(source: str, at: int) -> int:
    """The place behind the brace that closes an expression inside a template."""
    depth, before = 1, "{"
    while depth:
        kind, text = next_token(source, at, before)
        at += len(text)
        depth += {"{": 1, "}": -1}.get(text, 0)
        before = before if kind == "space" else text
    return at


def needed(a: str, gap: str, b: str) -> bool:
    """Whether a gap between two tokens must stay."""
    if gap == "\n":
        return not (a[-1] in OPEN or b[0] in CLOSE)
    wordlike = is_word(a[-1]) and is_word(b[0])
    return wordlike or (a[-1] == b[0] and b[0] in "+-/") or (a[-1] == "/" and b[0] == "*")


def is_word(letter: str) -> bool:
    return letter.isalnum() or letter in "_$"
