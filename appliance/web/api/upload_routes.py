"""The addresses of the API by which images, kernels and modules arrive."""

from appliance.web.api import image_kernels, kernel_modules, tasks, uploads
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.shapes import Items

_OUT = uploads.ArrivalOut

UPLOADS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/uploads", uploads.index, 200, Items[uploads.ArrivalOut]),
    Endpoint("POST", "/images/fetch", uploads.fetch, 202, tasks.TaskDetail, uploads.FetchIn),
    Endpoint("POST", "/images/{key}/kernels", image_kernels.extract, 202, tasks.TaskDetail, image_kernels.ExtractIn),
    Endpoint(
        "POST", "/kernels/{key}/modules", kernel_modules.fetch, 202, tasks.TaskDetail, kernel_modules.ModulesFetchIn
    ),
    Endpoint("GET", "/uploads/images/{key}", uploads.show_image, 200, _OUT),
    Endpoint("PUT", "/uploads/images/{key}", uploads.begin_image, 200, _OUT, uploads.ImageUploadIn),
    Endpoint("PUT", "/uploads/images/{key}/{turn}", uploads.take_image, 200, _OUT, bytes),
    Endpoint("DELETE", "/uploads/images/{key}", uploads.forget_image, 204),
    Endpoint("GET", "/uploads/kernels/{key}", uploads.show_kernel, 200, _OUT),
    Endpoint("PUT", "/uploads/kernels/{key}", uploads.begin_kernel, 200, _OUT, uploads.KernelUploadIn),
    Endpoint("PUT", "/uploads/kernels/{key}/{turn}", uploads.take_kernel, 200, _OUT, bytes),
    Endpoint("DELETE", "/uploads/kernels/{key}", uploads.forget_kernel, 204),
    Endpoint("GET", "/uploads/modules/{key}", kernel_modules.show, 200, _OUT),
    Endpoint("PUT", "/uploads/modules/{key}", kernel_modules.begin, 200, _OUT, kernel_modules.ModulesUploadIn),
    Endpoint("PUT", "/uploads/modules/{key}/{turn}", kernel_modules.take, 200, _OUT, bytes),
    Endpoint("DELETE", "/uploads/modules/{key}", kernel_modules.forget, 204),
)
