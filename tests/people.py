"""Those who ask for things in tests."""

from appliance.accounts import Asker, Role

ADA = Asker("ada", Role.ADMIN, "192.0.2.7")
ADMIN = Asker("admin", Role.ADMIN, "192.0.2.8")
SOMEBODY = Asker("somebody", Role.OPERATOR, "192.0.2.9")
