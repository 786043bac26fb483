"""Reports as `lvm fullreport` of LVM 2.03.31 writes them, with the columns that we ask for."""

import json

GROUP = "3NT9Uu-Gel4-R3Dd-Dsuv-mOMn-qteH-9Wcx10"
OTHER = "2KRZzH-7N05-UAEc-c4Ug-TXwd-IiOM-gRme3r"
ONE, TWO, THREE = "000000000000001a", "000000000000002b", "000000000000003c"

THIN = """  {
      "report": [
          {
              "vg": [
                  {"vg_uuid":"3NT9Uu-Gel4-R3Dd-Dsuv-mOMn-qteH-9Wcx10", "vg_name":"qrm", "vg_tags":"qrm.pool", "vg_size":"1031798784", "vg_free":"914358272", "vg_extent_size":"4194304", "vg_exported":""}
              ]
              ,
              "pv": [
                  {"pv_uuid":"fXnneo-mEei-L1Wi-udvt-5ECJ-p9AI-CILFm3", "pv_name":"/dev/sdb", "pv_size":"515899392", "pv_missing":""},
                  {"pv_uuid":"1dwxSb-tVe9-E0hd-RKxV-5Z4L-VLsg-OBDkgI", "pv_name":"/dev/sdc", "pv_size":"515899392", "pv_missing":""}
              ]
              ,
              "lv": [
                  {"lv_uuid":"J5Vp7t-u5m2-BM1s-Sr6W-Jn2s-qXJx-cSEjlI", "lv_name":"pool", "lv_size":"83886080", "lv_tags":"qrm.thin-pool", "lv_layout":"thin,pool", "pool_lv":"", "lv_path":"", "origin":"", "lv_metadata_size":"8388608", "lv_attr":"twi-aotz--", "data_percent":"81.25", "metadata_percent":"12.50", "lv_health_status":""},
                  {"lv_uuid":"siRWl6-Rrfn-PZvV-IE4b-7Wdo-M1Zo-jb7rDh", "lv_name":"root", "lv_size":"16777216", "lv_tags":"", "lv_layout":"linear", "pool_lv":"", "lv_path":"/dev/qrm/root", "origin":"", "lv_metadata_size":"", "lv_attr":"-wi-ao----", "data_percent":"", "metadata_percent":"", "lv_health_status":""},
                  {"lv_uuid":"HdGCnE-yom0-KCIT-psun-4AE0-A5yn-UCxrsm", "lv_name":"v-000000000000001a", "lv_size":"107374182400", "lv_tags":"qrm.created=1795000000,qrm.id=000000000000001a,qrm.name=web1", "lv_layout":"thin,sparse", "pool_lv":"pool", "lv_path":"/dev/qrm/v-000000000000001a", "origin":"", "lv_metadata_size":"", "lv_attr":"Vwi-aotz--", "data_percent":"0.05", "metadata_percent":"", "lv_health_status":""},
                  {"lv_uuid":"BFh1sF-Hj8e-vwyV-AY9o-ON0s-VwID-XD4Zhj", "lv_name":"v-000000000000002b", "lv_size":"107374182400", "lv_tags":"qrm.created=1795000100,qrm.id=000000000000002b,qrm.name=web1-monday,qrm.origin=000000000000001a", "lv_layout":"thin,sparse", "pool_lv":"pool", "lv_path":"/dev/qrm/v-000000000000002b", "origin":"v-000000000000001a", "lv_metadata_size":"", "lv_attr":"Vri-a-tz--", "data_percent":"0.05", "metadata_percent":"", "lv_health_status":""},
                  {"lv_uuid":"i7GH93-HvgX-nqnq-aDIg-Ua7G-3sCv-Cxu3Ka", "lv_name":"v-000000000000003c", "lv_size":"8388608", "lv_tags":"qrm.created=1795000200,qrm.id=000000000000003c,qrm.name=gone,qrm.origin=00000000000000ff", "lv_layout":"thin,sparse", "pool_lv":"pool", "lv_path":"/dev/qrm/v-000000000000003c", "origin":"", "lv_metadata_size":"", "lv_attr":"Vwi---tz--", "data_percent":"", "metadata_percent":"", "lv_health_status":""}
              ]
              ,
              "pvseg": [
              ]
              ,
              "seg": [
              ]
          }
          ,
          {
              "vg": [
                  {"vg_uuid":"2KRZzH-7N05-UAEc-c4Ug-TXwd-IiOM-gRme3r", "vg_name":"two", "vg_tags":"", "vg_size":"532676608", "vg_free":"532676608", "vg_extent_size":"4194304", "vg_exported":"exported"}
              ]
              ,
              "pv": [
                  {"pv_uuid":"qxj9tm-TNfm-LZRw-lxNI-MmNV-LtZz-wMESvR", "pv_name":"[unknown]", "pv_size":"532676608", "pv_missing":"missing"}
              ]
              ,
              "lv": [
              ]
              ,
              "pvseg": [
              ]
              ,
              "seg": [
              ]
          }
          ,
          {
              "pv": [
                  {"pv_uuid":"0hd3Rz-7N05-UAEc-c4Ug-TXwd-IiOM-gRme3r", "pv_name":"/dev/sdd", "pv_size":"536870912", "pv_missing":""}
              ]
              ,
              "pvseg": [
              ]
          }
      ]
      ,
      "log": [
      ]
  }
"""  # noqa: E501 - as the program writes it


def logical(name: str, tags: str, size: int = 8 << 20, **columns: str) -> dict[str, str]:
    """A row of the part ``lv``: a thick volume that is active."""
    row = {"lv_uuid": f"uuid-{name}", "lv_name": name, "lv_size": str(size), "lv_tags": tags, "lv_layout": "linear"}
    row |= {"pool_lv": "", "lv_path": f"/dev/qrm/{name}", "origin": "", "lv_metadata_size": "", "lv_attr": "-wi-a-----"}
    return row | {"data_percent": "", "metadata_percent": "", "lv_health_status": ""} | columns


def thin_pool(**columns: str) -> dict[str, str]:
    """The row of a thin pool of 64 MiB."""
    row = logical("pool", "qrm.thin-pool", 64 << 20, lv_layout="thin,pool", lv_metadata_size="8388608", lv_path="")
    return row | {"lv_attr": "twi-aotz--", "data_percent": "50.00", "metadata_percent": "10.00"} | columns


def ours(key: str, name: str = "web1", begin: str = "v", tags: str = "", size: int = 8 << 20, **columns: str) -> object:
    """The row of a volume of ours."""
    noted = f"qrm.created=1795000000,qrm.id={key},qrm.name={name}{f',{tags}' if tags else ''}"
    return logical(f"{begin}-{key}", noted, size, **columns)


def report(*rows: object, tags: str = "qrm.pool") -> str:
    """Of one group with these logical volumes."""
    group = {"vg_uuid": GROUP, "vg_name": "qrm", "vg_tags": tags, "vg_size": str(512 << 20), "vg_free": str(100 << 20)}
    group |= {"vg_extent_size": "4194304", "vg_exported": ""}
    member = {"pv_uuid": "uuid-pv", "pv_name": "/dev/sdb", "pv_size": "1", "pv_missing": ""}
    return json.dumps({"report": [{"vg": [group], "pv": [member], "lv": list(rows), "pvseg": [], "seg": []}]})
