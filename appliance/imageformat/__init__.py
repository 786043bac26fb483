"""What a file holds that is to be an image, told from its bytes alone: nothing of it is mounted, started or believed.

Every reader is bounded in memory and in how far it reads. Pure, all of it.
"""
