"""XML of a recording or a sheet, read without document types, so that nothing in it expands or is fetched.

No format that is read here needs a document type; an entity can be declared nowhere else (XML 1.0, section 4.2).
"""

from __future__ import annotations

from typing import NoReturn
from xml.etree import ElementTree

from data_schemas.errors import UnreadableFileError

_PIECE = 4096
"""Given to the parser at a time: what follows the head of a document type is never looked at."""


class _WithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """The parser came to a document type, whatever the encoding of the file."""
        raise UnreadableFileError(
            "the file declares a document type (<!DOCTYPE>, <!ENTITY>), as no recording program does; it is not read",
            got=name,
            expected="plain XML",
            mend="Save it again with the program that it came from, or take the declaration out.",
        )


def parse_xml(content: str | bytes, file: object = None) -> ElementTree.Element:
    """The root of an XML document; one that declares a document type is refused before any of it is expanded.

    Args:
        content: The whole document.
        file: What it was read from, for the error.

    Raises:
        UnreadableFileError: it declares a document type.
        xml.etree.ElementTree.ParseError: it is not well formed, or in an encoding that nobody knows.
    """
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        for at in range(0, len(content), _PIECE):
            parser.feed(content[at : at + _PIECE])
        root: ElementTree.Element = parser.close()
    except UnreadableFileError as error:
        error.file = None if file is None else str(file)
        raise
    except (LookupError, ValueError) as error:
        raise ElementTree.ParseError(str(error)) from error
    return root
