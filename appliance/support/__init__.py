"""The support bundle: what somebody who helps needs to see, and nothing that opens anything."""
