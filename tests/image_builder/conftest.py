"""The builder stands beside the package, so its folder is put on the import path here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "image-builder"))
