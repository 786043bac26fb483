"""The API's addresses of pools, volumes, and what pools are made of."""

from appliance.accounts import Role
from appliance.web.api import pool_shapes as shapes
from appliance.web.api import pools, tasks, volumes
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.listing import Page
from appliance.web.api.shapes import ConsequencesOut, Items

ADMIN = Role.ADMIN
ONE = "/pools/{key}/volumes/{volume}"

STORAGE: tuple[Endpoint, ...] = (
    Endpoint("GET", "/pools", pools.index, 200, Items[shapes.PoolOut]),
    Endpoint("POST", "/pools", pools.make, 202, tasks.TaskDetail, shapes.PoolIn, role=ADMIN),
    Endpoint("GET", "/pools/{key}", pools.show, 200, shapes.PoolOut),
    Endpoint(
        "GET", "/pools/{key}/consequences", pools.consequences, 200, ConsequencesOut, query=pools.CONSEQUENCES_QUERY,
        role=ADMIN,
    ),
    Endpoint("POST", "/pools/{key}/extend", pools.extend, 202, tasks.TaskDetail, shapes.ExtendIn, role=ADMIN),
    Endpoint("POST", "/pools/{key}/retire", pools.retire, 202, tasks.TaskDetail, shapes.ConfirmIn, role=ADMIN),
    Endpoint("POST", "/pools/{key}/examine", pools.examine, 202, tasks.TaskDetail, shapes.NothingIn, role=ADMIN),
    Endpoint("POST", "/pools/{key}/repair", pools.repair, 202, tasks.TaskDetail, shapes.ConfirmIn, role=ADMIN),
    Endpoint("GET", "/storage/disks", pools.disks, 200, Items[shapes.DiskOut], role=ADMIN),
    Endpoint(
        "POST", "/storage/disks/consequences", pools.disks_consequences, 200, ConsequencesOut, shapes.PartsIn,
        role=ADMIN,
    ),
    Endpoint("GET", "/storage/groups", pools.groups, 200, Items[shapes.GroupOut], role=ADMIN),
    Endpoint(
        "GET", "/storage/groups/{group}/consequences", pools.adopt_consequences, 200, ConsequencesOut, role=ADMIN
    ),
    Endpoint(
        "POST", "/storage/groups/{group}/adopt", pools.adopt, 202, tasks.TaskDetail, shapes.AdoptIn, role=ADMIN
    ),
    Endpoint("GET", "/volumes", volumes.index, 200, Page[shapes.VolumeOut], query=volumes.QUERY),
    Endpoint(
        "POST", "/pools/{key}/volumes", volumes.create, 201, shapes.VolumeDoneOut, shapes.VolumeIn, or_task=True
    ),
    Endpoint("GET", ONE, volumes.show, 200, shapes.VolumeOut),
    Endpoint("PATCH", ONE, volumes.change, 200, shapes.VolumeOut, shapes.VolumeChangeIn),
    Endpoint("DELETE", ONE, volumes.delete, 204, query=volumes.CONFIRM_QUERY),
    Endpoint(
        "GET", f"{ONE}/consequences", volumes.consequences, 200, ConsequencesOut, query=volumes.CONSEQUENCES_QUERY
    ),
    Endpoint(
        "POST", f"{ONE}/snapshot", volumes.snapshot, 201, shapes.VolumeDoneOut, shapes.SnapshotIn, or_task=True
    ),
    Endpoint("POST", f"{ONE}/clone", volumes.clone, 201, shapes.VolumeDoneOut, shapes.CloneIn, or_task=True),
    Endpoint("POST", f"{ONE}/grow", volumes.grow, 200, shapes.VolumeDoneOut, shapes.GrowIn, or_task=True),
    Endpoint(
        "POST", f"{ONE}/roll-back", volumes.roll_back, 200, shapes.VolumeDoneOut, shapes.RollBackIn, or_task=True
    ),
)  # fmt: skip
