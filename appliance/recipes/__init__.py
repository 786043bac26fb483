"""Recipes of images as data, and the program that makes a root file system by one."""
