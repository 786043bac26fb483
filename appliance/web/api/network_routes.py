"""The API's addresses of the network."""

from appliance.accounts import Role
from appliance.web.api import interfaces, network, subnet_rules
from appliance.web.api import network_shapes as shapes
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.listing import Page
from appliance.web.api.shapes import ConsequencesOut, Items

NETWORK: tuple[Endpoint, ...] = (
    Endpoint("GET", "/network/subnets", network.subnets, 200, Items[shapes.SubnetOut]),
    Endpoint("GET", "/network/subnets/{interface}", subnet_rules.show, 200, shapes.SubnetOut),
    Endpoint(
        "PATCH", "/network/subnets/{interface}", subnet_rules.change, 200, shapes.SubnetOut,
        subnet_rules.SubnetChangeIn,
    ),
    Endpoint(
        "GET", "/network/subnets/{interface}/consequences", subnet_rules.consequences, 200, ConsequencesOut,
        query=subnet_rules.CONSEQUENCES_QUERY,
    ),
    Endpoint("POST", "/network/subnets/{interface}/look", subnet_rules.look, 204),
    Endpoint(
        "GET", "/network/subnets/{interface}/snippet", subnet_rules.boot_options, 200, subnet_rules.SnippetOut,
        query=subnet_rules.SNIPPET_QUERY,
    ),
    Endpoint("GET", "/network/leases", network.leases, 200, Page[shapes.LeaseOut], query=network.LEASES_QUERY),
    Endpoint(
        "DELETE", "/network/leases/{interface}/{address}", network.forget_lease, 204, query=network.CONFIRM_QUERY
    ),
    Endpoint(
        "GET", "/network/reservations", network.reservations, 200, Page[shapes.ReservationOut],
        query=network.RESERVATIONS_QUERY,
    ),
    Endpoint("POST", "/network/reservations", network.reserve, 201, shapes.ReservationOut, shapes.ReservationIn),
    Endpoint("DELETE", "/network/reservations/{key}", network.unreserve, 204),
    Endpoint("GET", "/network/names", network.names, 200, Page[shapes.NameOut], query=network.NAMES_QUERY),
    Endpoint("POST", "/network/names", network.add_name, 201, shapes.RecordOut, shapes.NameIn),
    Endpoint("DELETE", "/network/names/{key}", network.delete_name, 204),
    Endpoint(
        "GET", "/network/sightings", network.sightings, 200, Page[shapes.SightingOut], query=network.SIGHTINGS_QUERY
    ),
    Endpoint("GET", "/network/sightings/{mac}", network.sighting, 200, shapes.SightingOut),
    Endpoint("DELETE", "/network/sightings/{mac}", network.forget_sighting, 204),
    Endpoint("GET", "/appliance/network", interfaces.show, 200, interfaces.NetworkOut, role=Role.ADMIN),
    Endpoint(
        "PUT", "/appliance/network", interfaces.put_layout, 200, interfaces.ChangeOut, interfaces.LayoutIn,
        role=Role.ADMIN,
    ),
    Endpoint(
        "PUT", "/appliance/network/interfaces/{name}", interfaces.put_interface, 200, interfaces.ChangeOut,
        interfaces.InterfaceIn, role=Role.ADMIN,
    ),
    Endpoint(
        "DELETE", "/appliance/network/interfaces/{name}", interfaces.delete_interface, 200, interfaces.ChangeOut,
        query=interfaces.DELETE_QUERY, role=Role.ADMIN,
    ),
    Endpoint("POST", "/appliance/network/confirm", interfaces.confirm, 204, role=Role.ADMIN),
    Endpoint("POST", "/appliance/network/revert", interfaces.revert, 204, role=Role.ADMIN),
)  # fmt: skip
