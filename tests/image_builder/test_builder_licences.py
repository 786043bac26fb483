"""Licences as packages state them."""

from builder import licences


def test_only_installed_packages_count() -> None:
    text = (
        "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nDescription: shell\n more: not a field\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    assert licences.parse_status(text) == [licences.Package("bash", "5.2-1", "bash")]


def test_packages_of_one_source_share_its_licences() -> None:
    stanza = "Package: {}\nStatus: install ok installed\nSource: {}\nVersion: 1\n\n"
    text = stanza.format("a", "both (2)") + stanza.format("b", "both") + stanza.format("c", "other")
    rows = licences.debian(licences.parse_status(text), {"a": "Format: x\nLicense: MIT\n", "c": "no form"})
    assert rows == [("debian", "a", "1", ["MIT"]), ("debian", "b", "1", ["MIT"]), ("debian", "c", "1", [])]


def test_a_machine_readable_copyright_names_its_licences_once() -> None:
    text = "Format: https://x\n\nFiles: *\nLicense: GPL-2+\n\nFiles: a\nLicense: MIT\n\nLicense: GPL-2+\n ...\n"
    assert licences.of_copyright(text) == ["GPL-2+", "MIT"]


def test_an_old_copyright_points_at_the_common_ones() -> None:
    text = "See /usr/share/common-licenses/GPL-2. Parts: /usr/share/common-licenses/LGPL-2.1, and more"
    assert licences.of_copyright(text) == []
    assert licences.common(text) == ["GPL-2", "LGPL-2.1"]


def test_python_packages_state_an_expression_a_word_or_a_classifier() -> None:
    head = "Metadata-Version: 2.4\nName: x\nVersion: 1\n"
    assert licences.of_metadata(head + "License-Expression: MIT\n\nLicense: no") == ("x", "1", ["MIT"])
    long = head + "License: " + "word " * 40 + "\nClassifier: License :: OSI Approved :: BSD License\n\n"
    assert licences.of_metadata(long) == ("x", "1", ["BSD License"])


def test_a_file_of_no_form_is_known_by_the_words_of_its_licence() -> None:
    text = " * Permission is hereby granted, free of charge, to any\n * person obtaining a copy of this software\n"
    assert licences.worded(text) == ["Expat"]
    assert licences.worded("All rights reserved.") == []
