"""What a disk is made of that starts from BIOS and UEFI, as values and as words of programs; no mount, no loop device.

Also used by image-builder, which has no packages of Python but the standard library's.
"""
