import pytest
pytestmark = pytest.mark.guest

def test_a():
    import os
    print("hello from", os.uname())
    assert os.uname().nodename == "guest"

def test_b():
    print("out")
    x = [1,2]
    assert x == [1,3]

@pytest.mark.skip(reason="because")
def test_c():
    pass

def test_disks(disks):
    assert len(disks.scsi) == 4
    assert disks.nvme.name.startswith("nvme0")
