"""The addresses of the API for recipes, and for images by them."""

from appliance.web.api import recipes, tasks
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.shapes import Items

RECIPES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/recipes", recipes.index, 200, Items[recipes.RecipeOut]),
    Endpoint("GET", "/recipes/{key}", recipes.show, 200, recipes.RecipeOut),
    Endpoint("PUT", "/recipes/{key}", recipes.keep, 200, recipes.RecipeOut, recipes.RecipeIn),
    Endpoint("DELETE", "/recipes/{key}", recipes.remove, 204),
    Endpoint("POST", "/images/build", recipes.build, 202, tasks.TaskDetail, recipes.ImageOrderIn),
)
