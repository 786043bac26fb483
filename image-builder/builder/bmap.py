"""Block maps in the format of bmap-tools, version 2.0: which parts of a disk image must be written. Pure.

With it an image goes onto a disk without writing what is empty, and every part is checked while it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

BLOCK = 4096
CHECKSUM = "0" * 64
"""What stands in the place of the map's own checksum while that is computed."""


@dataclass(frozen=True)
class Range:
    """Blocks `first` to `last`, both included, and the SHA-256 of their content."""

    first: int
    last: int
    sha256: str


def document(image_bytes: int, ranges: Sequence[Range], digest: str = CHECKSUM) -> str:
    """The XML file. Its own checksum is of the file with CHECKSUM in its place."""
    mapped = sum(one.last - one.first + 1 for one in ranges)
    lines = "\n".join(_range(one) for one in ranges)
    return f"""<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {image_bytes} </ImageSize>
    <BlockSize> {BLOCK} </BlockSize>
    <BlocksCount> {-(-image_bytes // BLOCK)} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {escape(digest)} </BmapFileChecksum>
    <BlockMap>
{lines}
    </BlockMap>
</bmap>
"""


def _range(one: Range) -> str:
    blocks = str(one.first) if one.first == one.last else f"{one.first}-{one.last}"
    return f'        <Range chksum="{one.sha256}"> {blocks} </Range>'


def spans(extents: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of blocks (first, last) that cover these (offset, length) in bytes, joined where they meet."""
    joined: list[tuple[int, int]] = []
    for offset, length in sorted(extents):
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
