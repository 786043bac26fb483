"""What of a kernel's modules the hand-over initrd needs.

Also used by image-builder inside a tree of Debian packages, so it imports the standard library only, and itself.
"""
