"""The API's addresses of VMs and their hosts."""

from appliance.accounts import Role
from appliance.web.api import hosts, tasks, vms
from appliance.web.api import vm_shapes as shapes
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.listing import Page
from appliance.web.api.shapes import ConsequencesOut, Items

ADMIN = Role.ADMIN

VMS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/hosts", hosts.index, 200, Items[shapes.HostOut]),
    Endpoint("POST", "/hosts", hosts.add, 201, shapes.HostOut, shapes.HostIn, role=ADMIN),
    Endpoint("GET", "/hosts/{key}", hosts.show, 200, shapes.HostOut),
    Endpoint("DELETE", "/hosts/{key}", hosts.remove, 204, role=ADMIN),
    Endpoint("GET", "/vms", vms.index, 200, Page[shapes.VmOut], query=vms.QUERY),
    Endpoint("POST", "/vms", vms.create, 202, tasks.TaskDetail, shapes.VmIn),
    Endpoint("GET", "/vms/{key}", vms.show, 200, shapes.VmDetailOut),
    Endpoint("PATCH", "/vms/{key}", vms.change, 200, shapes.VmDetailOut, shapes.VmChangeIn),
    Endpoint("GET", "/vms/{key}/consequences", vms.consequences, 200, ConsequencesOut, query=vms.CONSEQUENCES_QUERY),
    Endpoint("POST", "/vms/{key}/delete", vms.delete, 202, tasks.TaskDetail, shapes.VmDeleteIn),
    Endpoint("POST", "/vms/{key}/disks", vms.add_disk, 202, tasks.TaskDetail, shapes.DiskIn),
    Endpoint("POST", "/vms/{key}/shut-down", vms.shut_down, 202, tasks.TaskDetail, shapes.ShutDownIn),
    *(
        Endpoint("POST", f"/vms/{{key}}/{order}", vms.ordering(order), 200, shapes.VmDetailOut, shapes.VmNothingIn)
        for order in vms.ORDERS
    ),
)
