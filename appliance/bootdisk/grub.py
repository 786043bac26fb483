"""Places GRUB for BIOS on a disk the way grub-install does, as bytes. Pure.

Offsets: GRUB's `include/grub/i386/pc/boot.h` and `diskboot.S`.
"""

import struct

SECTOR = 512
CODE_END = 440  # the MBR's code area; disk signature and partition records follow
KERNEL_SECTOR = 0x5C  # where boot.img reads core.img's first sector from
DRIVE_CHECK = 0x66  # a jump over a test that is only wanted on floppies
BLOCK_LIST = SECTOR - 12  # diskboot.img's list: start sector, sector count, load segment
LOAD_SEGMENT = 0x820  # right after the first sector, which boot.img put at 0x8000


def mbr_with_boot_code(mbr: bytes, boot_img: bytes, core_sector: int) -> bytes:
    """The given MBR with GRUB's boot sector in its code area, loading core.img from `core_sector`."""
    if len(mbr) != SECTOR or len(boot_img) != SECTOR:
        raise ValueError("MBR and boot.img are one sector each")
    code = bytearray(boot_img[:CODE_END])
    struct.pack_into("<Q", code, KERNEL_SECTOR, core_sector)
    # Two NOPs: BIOSes that pass a wrong drive number in DL are common enough.
    code[DRIVE_CHECK : DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(code) + mbr[CODE_END:]


def placed_core(core_img: bytes, core_sector: int, room_sectors: int) -> bytes:
    """core.img, padded to sectors, told that it lies in one piece at `core_sector`.

    Raises ValueError when it does not fit into `room_sectors`.
    """
    sectors = -(-len(core_img) // SECTOR)
    if sectors > room_sectors:
        raise ValueError(f"core.img needs {sectors} sectors, the BIOS boot partition has {room_sectors}")
    placed = bytearray(core_img.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<QHH", placed, BLOCK_LIST, core_sector + 1, sectors - 1, LOAD_SEGMENT)
    return bytes(placed)
