// TEST_RFC("5321 §4.5.2", "dots are unstuffed"): a doctest case whose name carries the section it proves.
// tests/rfc/check.py reads these names and checks that each section is listed in docs/rfc/.
#pragma once

#include <doctest/doctest.h>

#define TEST_RFC(section, what) TEST_CASE("RFC " section ": " what)
