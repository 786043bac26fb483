"""The addresses of the API about the appliance itself: what an owner does once in a while."""

from appliance.accounts import Role
from appliance.web.api import backups
from appliance.web.api.endpoint import Endpoint

ADMIN = Role.ADMIN

APPLIANCE: tuple[Endpoint, ...] = (
    Endpoint("GET", "/appliance/backup", backups.show, 200, backups.BackupsOut, role=ADMIN),
    Endpoint("POST", "/appliance/backup", backups.make, 200, bytes, backups.BackupIn, role=ADMIN, secret=True),
    Endpoint("PUT", "/appliance/backup/upload", backups.upload, 201, backups.UploadedOut, bytes, role=ADMIN),
    Endpoint("DELETE", "/appliance/backup/upload", backups.forget, 204, role=ADMIN),
    Endpoint("POST", "/appliance/restore", backups.restore, 200, backups.RestoredOut, backups.RestoreIn, role=ADMIN),
    Endpoint("DELETE", "/appliance/restore/configuration", backups.dismiss, 204, role=ADMIN),
    Endpoint("DELETE", "/appliance/restore/old/{name}", backups.remove_old, 204, role=ADMIN),
)
