"""Puts the appliance that runs from a stick onto a disk: the image that booted is the installer too."""
