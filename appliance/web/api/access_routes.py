"""The addresses of the API about who may do what: users, tokens, log-ins, the certificate, the audit log."""

from appliance.accounts import Role
from appliance.store import accounts, api_tokens, log_ins
from appliance.store.audit import LISTING
from appliance.web.api import audit, certificate, sessions, shapes, tokens, users, versions
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.listing import Page, params

ADMIN, VIEWER = Role.ADMIN, Role.VIEWER

ACCESS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/sessions", sessions.index, 200, Page[sessions.LogInOut], query=params(log_ins.LISTING)),
    Endpoint("DELETE", "/sessions/{key}", sessions.end, 204, role=VIEWER),
    Endpoint("GET", "/users", users.index, 200, Page[users.UserDetail], query=params(accounts.LISTING), role=ADMIN),
    Endpoint("POST", "/users", users.create, 201, users.UserDetail, users.UserIn, role=ADMIN, secret=True),
    Endpoint("GET", "/users/{key}", users.show, 200, users.UserDetail, role=ADMIN, version=versions.user),
    Endpoint(
        "PATCH",
        "/users/{key}",
        users.change,
        200,
        users.UserDetail,
        users.UserChangeIn,
        role=ADMIN,
        version=versions.user,
    ),
    Endpoint("DELETE", "/users/{key}", users.delete, 204, role=ADMIN, version=versions.user),
    Endpoint("PUT", "/users/{key}/password", users.set_password, 204, None, users.PasswordIn, role=ADMIN),
    Endpoint(
        "PUT", "/account/password", users.change_password, 200, shapes.SessionOut, users.OwnPasswordIn, role=VIEWER
    ),
    Endpoint("GET", "/tokens", tokens.index, 200, Page[tokens.TokenOut], query=params(api_tokens.LISTING)),
    Endpoint("POST", "/tokens", tokens.create, 201, tokens.TokenMade, tokens.TokenIn, role=VIEWER, secret=True),
    Endpoint("GET", "/tokens/{key}", tokens.show, 200, tokens.TokenOut),
    Endpoint("DELETE", "/tokens/{key}", tokens.delete, 204, role=VIEWER),
    Endpoint("GET", "/audit", audit.index, 200, Page[audit.AuditOut], query=params(LISTING), role=ADMIN),
    Endpoint("GET", "/certificate", certificate.show, 200, certificate.CertificateOut, role=ADMIN),
    Endpoint(
        "PUT", "/certificate", certificate.put, 200, certificate.CertificateOut, certificate.CertificateIn, role=ADMIN
    ),
    Endpoint("DELETE", "/certificate", certificate.reset, 204, role=ADMIN),
)
