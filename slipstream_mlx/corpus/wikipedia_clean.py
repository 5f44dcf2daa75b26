"""From what Wikipedia's TextExtracts gives to prose that reads well without tables, footnotes and pictures."""

import hashlib
import html
import re
import unicodedata
from dataclasses import dataclass, field

MIN_SECTION_WORDS = 8  # a section with less, and without subsections, has lost its table or its gallery
MIN_ARTICLE_WORDS = 20
MIN_DUPLICATE_CHARS = 60  # names in lists may well come again; a sentence should not

_DROPPED_SECTION = re.compile(
    r"(?:(?:general|explanatory|reference|foot)? ?(?:notes?|references?|citations?|sources?)(?: and |, |$))+|"
    r"(?:further|additional) reading|external links?|see also|works cited|bibliography|literature|books|navigation|"
    r"(?:image |photo |picture )?(?:gallery|images)"
)

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
        **dict.fromkeys("\u2014\u2015", " - "),
        **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u2032\u02bc", "'"),
        **dict.fromkeys([9, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
        **dict.fromkeys("\r\v\f\u0085\u2028\u2029", "\n"),
        "\u2026": "...",
        "\u00ad": None,  # soft hyphen
    }
)
# With the circled i that links to a recording.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u24d8\ufeff\ufffc\ufffd]")

_MATHS = "\x00"  # stands for a formula; no text has it after normalising
_LATEX = re.compile(r"\{\\(?:display|text|script)style\b|\\(?:frac|sqrt|mathrm|mathbf|operatorname|begin)\b")

_LINE_GOES_ON = re.compile(r"\n(?=  )[\n ]*")

_TAGS = (
    "abbr|b|big|blockquote|center|cite|code|del|div|em|font|gallery|h[1-6]|hr|i|imagemap|includeonly|ins|li|math|"
    "noinclude|nowiki|ol|onlyinclude|p|poem|pre|ref|references|s|small|span|strong|sub|sup|table|tbody|td|th|timeline|tr|u|ul"
)
_MARKUP = [
    # Lengths are bounded so that one mark that is never closed does not send the search through all the rest.
    (re.compile(r"<!--.{0,3000}?-->", re.S), ""),
    (re.compile(r"<ref\b[^<>]*/>", re.I), ""),
    (re.compile(r"<(ref|gallery|timeline|imagemap)\b[^<>]*>.{0,3000}?</\1\s*>", re.S | re.I), ""),
    (re.compile(r"<math\b[^<>]*>.{0,3000}?</math\s*>", re.S | re.I), _MATHS),
    (re.compile(r"<br\b[^<>]*>", re.I), " "),
    (re.compile(rf"</?(?:{_TAGS})\b[^<>]*>", re.I), ""),
    (re.compile(r"^\{\|.{0,9000}?^\|\}", re.S | re.M), ""),
    (re.compile(r"\[\[(?:File|Image|Category|Media):[^\[\]]*(?:\[\[[^\[\]]*\]\][^\[\]]*)*\]\]", re.I), ""),
    (re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\[(?:https?:)?//[^\s\]]+ ?([^\[\]]*)\]"), r"\1"),
    (re.compile(r"''(?:'''|'|(?=\S)|(?<=\S''))"), ""),
    (re.compile(r"__[A-Z]{3,}__"), ""),
    (re.compile(r"^[|!].*$", re.M), ""),  # a row left of a table
    (re.compile(r"^[#:;]+ +", re.M), ""),
    # Footnote marks. A lone letter counts only straight after a word: "It was [a] disaster" is somebody's quotation.
    (re.compile(r"\[(?:\d{1,3}|(?:note|notes|nb|n|fn|N) ?\d{1,3}|edit)\]"), ""),
    (re.compile(r"\[(?<=\S\[)[a-z]{1,2}\](?!\w)"), ""),
    (re.compile(r"\[(?:[a-z ]+ needed|failed verification|dubious[^\[\]]*|(?:by )?wh[a-z]+\?)\]", re.I), ""),
]
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")

_IPA = (
    "\u0250-\u02af\u02c8\u02cc\u02d0\u0303\u03b8\u014b"  # the block of phonetic letters, stress, length and a few more
)
_PHONETIC = re.compile(f"[{_IPA}]")
_PRONUNCIATION = re.compile(
    r"(?:(?:[A-Z][a-z]+ ){0,3}(?:[A-Z][a-z]+|pronunciation): |pronounced |IPA:? )?"
    rf"(?:\[[^\[\]\n]{{0,80}}[{_IPA}][^\[\]\n]{{0,80}}\]|(?<![\w/])/[^/\n]{{0,60}}[{_IPA}][^/\n]{{0,60}}/)"
)
_TIDY = [
    (re.compile(r"\((?:listen|help·info|info|IPA)\)"), ""),
    (re.compile(r"\(\s*[;,:]+\s*"), "("),
    (re.compile(r"[;,:]+\s*\)"), ")"),
    (re.compile(r"\(\s*\)"), ""),
    (re.compile(r" {2,}"), " "),
    (re.compile(r" +([,.;:!?])(?=\s|$)"), r"\1"),
    (re.compile(r"\( +"), "("),
    (re.compile(r" +\)"), ")"),
]
_BETWEEN_WORDS = re.compile(r"\W+")
_HEADING = re.compile(r"(={2,6}) *(.+?) *\1")
_LEGEND = re.compile(  # what stood around the tables that are gone
    r"[*†‡§¶^~#|•]|\(key\)|key$|(?:notes?|sources?|key|legend|references?) ?:|season (?:still )?in progress|"
    r"drivers? did not finish the (?:grand prix|race),? but w|(?:bold|italics?) ?(?:- |denotes|indicates|=)",
    re.I,
)
_LEGEND_INSIDE = re.compile(
    r"(?:races|results|drivers|entries|teams|figures) in (?:bold|italics?)\b|indicates? (?:a )?pole position", re.I
)
_ENDS_SENTENCE = re.compile(r"[.!?:;][\"')]*$")
_DISAMBIGUATION = re.compile(r"\b(?:may|can|could)(?: also| commonly)? refer to:?$|\bis the name of:$", re.M)


@dataclass
class _Section:
    level: int  # 1: what comes before the first heading
    heading: str
    paragraphs: list[str] = field(default_factory=list)


def clean_article(extract: str, seen: set[bytes] | None = None) -> str:
    """The prose of one plain-text extract with "== headings ==": paragraphs and headings apart by an empty line.

    Dropped are references, see-also, galleries, legends of tables, stray markup, formulas with the paragraph they leave
    a hole in, sections with next to nothing left, and paragraphs in `seen`, to which this article's own are added.
    Typing is made one: NFC, "-" for every dash, straight quotes. Returns "" if hardly anything is left.
    """
    text = _strip_markup(_mark_maths(_normalise(extract)))
    sections = _sections(text, set() if seen is None else seen)
    blocks: list[str] = []
    for section in _worth_keeping(sections):
        blocks += [section.heading] if section.heading else []
        blocks += _join_lists(section.paragraphs)
    words = sum(len(block.split()) for block in blocks)
    return "\n\n".join(blocks) if words >= MIN_ARTICLE_WORDS else ""


def is_disambiguation(extract: str) -> bool:
    """Whether a text only lists what a name may mean, for wikis that do not mark such pages."""
    return bool(_DISAMBIGUATION.search(extract[:400]))


def _normalise(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(text)).translate(_CHARACTERS)
    return _INVISIBLE.sub("", text)


def _mark_maths(text: str) -> str:
    """Put a mark in place of each formula, which TextExtracts spells twice: one symbol a line, then as LaTeX."""
    parts, position = [], 0
    for match in _LATEX.finditer(text):
        if match.start() < position or not match[0].startswith("{"):
            continue
        head = text[position : match.start()].split("\n")
        # Walk back over the symbols: indented lines of a few characters.
        while len(head) > 1 and (not head[-1].strip() or (head[-1].startswith("  ") and len(head[-1].strip()) <= 12)):
            head.pop()
        position = _closing_brace(text, match.start())
        rest = _LINE_GOES_ON.match(text, position)
        position = rest.end() if rest else position
        parts += ["\n".join(head), _MATHS]
    return "".join([*parts, text[position:]])


def _closing_brace(text: str, start: int) -> int:
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return i + 1
    return len(text)


def _strip_markup(text: str) -> str:
    for _ in range(10):  # templates within templates, from the inside out
        text, count = _TEMPLATE.subn("", text)
        if not count:
            break
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text


def _sections(text: str, seen: set[bytes]) -> list[_Section]:
    """The text by headings, without the sections and the paragraphs that no reader would miss."""
    sections = [_Section(1, "")]
    skipping = 0  # level of the dropped section that we are in
    for line in text.split("\n"):
        line = line.strip()
        if heading := _HEADING.fullmatch(line):
            level = len(heading[1])
            if skipping and level > skipping:
                continue
            skipping = level if _DROPPED_SECTION.fullmatch(heading[2].casefold().strip(" .:")) else 0
            if not skipping:
                sections.append(_Section(level, _tidy(heading[2])))
        elif line and not skipping and not _is_debris(line):
            line = _tidy(line)
            if line and not _is_repeated(line, seen):
                _append(sections[-1].paragraphs, line)
    return sections


def _is_debris(line: str) -> bool:
    return bool(_MATHS in line or _LATEX.search(line) or _LEGEND.match(line) or _LEGEND_INSIDE.search(line))


def _append(paragraphs: list[str], line: str) -> None:
    # A paragraph may have been typed over several lines, and comes as it was typed.
    if paragraphs and line[0].islower() and len(paragraphs[-1]) >= 40 and not _ENDS_SENTENCE.search(paragraphs[-1]):
        paragraphs[-1] += " " + line
    else:
        paragraphs.append(line)


def _tidy(line: str) -> str:
    if _PHONETIC.search(line):
        line = _PRONUNCIATION.sub("", line)
    for pattern, replacement in _TIDY:
        line = pattern.sub(replacement, line)
    return line.strip()


def _is_repeated(paragraph: str, seen: set[bytes]) -> bool:
    if len(paragraph) < MIN_DUPLICATE_CHARS:
        return False
    # Eight bytes a paragraph, so that a whole encyclopedia fits in memory.
    key = hashlib.blake2b(_BETWEEN_WORDS.sub(" ", paragraph.casefold()).encode(), digest_size=8).digest()
    if key in seen:
        return True
    seen.add(key)
    return False


def _worth_keeping(sections: list[_Section]) -> list[_Section]:
    kept: list[_Section] = []
    for section in reversed(sections):
        has_subsection = bool(kept) and kept[-1].level > section.level
        words = sum(len(paragraph.split()) for paragraph in section.paragraphs)
        if words >= MIN_SECTION_WORDS or (has_subsection and section.heading):
            kept.append(section)
    return kept[::-1]


def _join_lists(paragraphs: list[str]) -> list[str]:
    """Items of a list, which come as paragraphs of their own and end without a stop, as one block of lines."""
    blocks: list[str] = []
    in_list = False
    for paragraph in paragraphs:
        is_item = len(paragraph) < 200 and not _ENDS_SENTENCE.search(paragraph)
        if is_item and in_list:
            blocks[-1] += "\n" + paragraph
        else:
            blocks.append(paragraph)
        in_list = is_item
    return blocks
