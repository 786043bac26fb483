"""Kernels are taken out of images: in user space, with nothing of the image mounted, whatever it is stored as."""
