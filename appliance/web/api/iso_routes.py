"""The addresses of the API for ISOs."""

from appliance.web.api import isos, shapes, tasks, uploads, versions
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.listing import Page

ISOS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/isos", isos.index, 200, Page[isos.IsoOut], query=isos.QUERY),
    Endpoint("POST", "/isos", isos.add, 201, isos.IsoOut, bytes, isos.UPLOAD),
    Endpoint("POST", "/isos/fetch", isos.fetch, 202, tasks.TaskDetail, isos.IsoFetchIn),
    Endpoint("GET", "/isos/{key}", isos.show, 200, isos.IsoOut, version=versions.iso),
    Endpoint("PATCH", "/isos/{key}", isos.change, 200, isos.IsoOut, isos.IsoChangeIn, version=versions.iso),
    Endpoint("GET", "/isos/{key}/consequences", isos.consequences, 200, shapes.ConsequencesOut),
    Endpoint("DELETE", "/isos/{key}", isos.delete, 204, version=versions.iso),
    Endpoint("GET", "/uploads/isos/{key}", isos.show_upload, 200, uploads.ArrivalOut),
    Endpoint("PUT", "/uploads/isos/{key}", isos.begin_upload, 200, uploads.ArrivalOut, isos.IsoUploadIn),
    Endpoint("PUT", "/uploads/isos/{key}/{turn}", isos.take_piece, 200, uploads.ArrivalOut, bytes),
    Endpoint("DELETE", "/uploads/isos/{key}", isos.forget_upload, 204),
)
