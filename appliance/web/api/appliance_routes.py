"""The addresses of the API about the appliance itself: what an owner does once in a while."""

from appliance.accounts import Role
from appliance.web.api import backups, health, own_settings, ssh, support, tasks, updates
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.shapes import Items

ADMIN = Role.ADMIN

APPLIANCE: tuple[Endpoint, ...] = (
    Endpoint("GET", "/appliance/backup", backups.show, 200, backups.BackupsOut, role=ADMIN),
    Endpoint("POST", "/appliance/backup", backups.make, 200, bytes, backups.BackupIn, role=ADMIN, secret=True),
    Endpoint("PUT", "/appliance/backup/upload", backups.upload, 201, backups.UploadedOut, bytes, role=ADMIN),
    Endpoint("DELETE", "/appliance/backup/upload", backups.forget, 204, role=ADMIN),
    Endpoint("POST", "/appliance/restore", backups.restore, 200, backups.RestoredOut, backups.RestoreIn, role=ADMIN),
    Endpoint("POST", "/appliance/restore/configuration", backups.use_configuration, 204, role=ADMIN),
    Endpoint("DELETE", "/appliance/restore/configuration", backups.dismiss, 204, role=ADMIN),
    Endpoint("DELETE", "/appliance/restore/old/{name}", backups.remove_old, 204, role=ADMIN),
    Endpoint("GET", "/appliance/update", updates.show, 200, updates.UpdateStateOut, role=ADMIN),
    Endpoint("PUT", "/appliance/update/bundle", updates.upload, 201, updates.BundleOut, bytes, role=ADMIN),
    Endpoint("DELETE", "/appliance/update/bundle", updates.discard, 204, role=ADMIN),
    Endpoint("GET", "/appliance/update/upload", updates.show_upload, 200, updates.UploadOut, role=ADMIN),
    Endpoint(
        "PUT", "/appliance/update/upload", updates.begin_upload, 200, updates.UploadOut, updates.UploadIn, role=ADMIN
    ),
    Endpoint("DELETE", "/appliance/update/upload", updates.forget_upload, 204, role=ADMIN),
    Endpoint("PUT", "/appliance/update/upload/{turn}", updates.take_piece, 200, updates.UploadOut, bytes, role=ADMIN),
    Endpoint(
        "POST", "/appliance/update/download", updates.download, 202, tasks.TaskDetail, updates.DownloadIn, role=ADMIN
    ),
    Endpoint(
        "POST", "/appliance/update/install", updates.install, 202, tasks.TaskDetail, updates.InstallIn, role=ADMIN
    ),
    Endpoint("POST", "/appliance/update/restart", updates.restart, 204, role=ADMIN),
    Endpoint("POST", "/appliance/update/back", updates.back, 204, None, updates.BackIn, role=ADMIN),
    Endpoint("GET", "/appliance/health", health.show, 200, health.HealthOut, role=ADMIN),
    Endpoint("GET", "/appliance/packages", health.packages, 200, Items[health.PackageOut], role=ADMIN),
    Endpoint("POST", "/appliance/disks/{name}/identify", health.identify, 204, role=ADMIN),
    Endpoint("GET", "/appliance/ssh", ssh.show, 200, ssh.SshOut, role=ADMIN),
    Endpoint("PUT", "/appliance/ssh", ssh.put, 200, ssh.SshOut, ssh.SshIn, role=ADMIN),
    Endpoint("GET", "/appliance/settings", own_settings.show, 200, own_settings.OwnSettingsOut, role=ADMIN),
    Endpoint(
        "PATCH", "/appliance/settings", own_settings.change, 200, own_settings.SettingsChangeOut,
        own_settings.GeneralIn, role=ADMIN,
    ),
    Endpoint(
        "POST", "/appliance/settings/subnets", own_settings.add_subnet, 200, own_settings.SettingsChangeOut,
        own_settings.NewSubnetIn, role=ADMIN,
    ),
    Endpoint(
        "PATCH", "/appliance/settings/subnets/{interface}", own_settings.change_subnet, 200,
        own_settings.SettingsChangeOut, own_settings.SubnetSettingsIn, role=ADMIN,
    ),
    Endpoint(
        "DELETE", "/appliance/settings/subnets/{interface}", own_settings.remove_subnet, 200,
        own_settings.SettingsChangeOut, query=own_settings.REMOVE_QUERY, role=ADMIN,
    ),
    Endpoint("GET", "/appliance/settings/disks", own_settings.disks, 200, own_settings.DataDisksOut, role=ADMIN),
    Endpoint(
        "POST", "/appliance/settings/disks", own_settings.take_disks, 200, own_settings.SettingsChangeOut,
        own_settings.DataDisksIn, role=ADMIN,
    ),
    Endpoint("POST", "/appliance/support-bundle", support.bundle, 200, bytes, role=ADMIN),
    Endpoint(
        "POST", "/appliance/factory-reset", health.factory_reset, 200, health.ResetOut, health.ResetIn, role=ADMIN
    ),
)  # fmt: skip
