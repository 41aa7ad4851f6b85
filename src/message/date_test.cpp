#include "message/date.hpp"

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

std::string iso(Bytes value) {
  const auto date = parse_date(value);
  return date ? write_iso_date(date->time) + (date->zone_known ? " " + std::to_string(date->offset_minutes) : " ?")
              : "none";
}

TEST_RFC("5322 §3.3", "dates as they should be") {
  CHECK(iso("Fri, 21 Nov 1997 09:55:06 -0600") == "1997-11-21T15:55:06Z -360");
  CHECK(iso(" Tue, 1 Jul 2003 10:52:37 +0200 (CEST)\r\n") == "2003-07-01T08:52:37Z 120");
  CHECK(iso("21 Nov 1997 09:55 -0000") == "1997-11-21T09:55:00Z ?");
  CHECK(iso("Fri, 21 Nov 1997 23:59:60 +0000") == "1997-11-21T23:59:59Z 0");
  CHECK(iso("Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)") == "1969-02-14T03:02:00Z -210");
}

TEST_RFC("5322 §4.3", "obsolete dates") {
  CHECK(iso("21 Nov 97 09:55:06 GMT") == "1997-11-21T09:55:06Z 0");
  CHECK(iso("21 Nov 49 09:55:06 EST") == "2049-11-21T14:55:06Z -300");
  CHECK(iso("21 Nov 101 09:55:06 PDT") == "2001-11-21T16:55:06Z -420");
  CHECK(iso("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600") == "1997-11-21T15:55:06Z -360");
  CHECK(iso("21 Nov 1997 09 : 55(a (nested\\) one)):06(c)+0000") == "1997-11-21T09:55:06Z 0");
  CHECK(iso("21 Nov 1997 09:\r\n 55 GMT") == "1997-11-21T09:55:00Z 0");
  CHECK(iso("21 Nov 1997 09: GMT") == "none");
  CHECK(iso("21 Nov 1997 09(:55") == "none");
  CHECK(iso("021 Nov 1997 09:55:06 GMT") == "1997-11-21T09:55:06Z 0");  // Met in the wild.
  CHECK(iso("vendredi, 21 Nov 1997 09:55:06 GMT") == "1997-11-21T09:55:06Z 0");
  CHECK(iso(" \xd0\x9f\xd1\x82, 21 Nov 1997 09:55:06 GMT") == "1997-11-21T09:55:06Z 0");
  CHECK(iso("on a vendredi, 21 Nov 1997 09:55:06 GMT") == "none");
  CHECK(iso("vendredi,") == "none");
  CHECK(iso("032 Nov 1997 09:55:06 GMT") == "none");
  CHECK(iso("21 Nov 97 09:55:06 A") == "1997-11-21T09:55:06Z ?");
  CHECK(iso("21 Nov 97 09:55:06 XYZ") == "1997-11-21T09:55:06Z ?");
}

TEST_CASE("dates of programs that know no standard") {
  CHECK(iso("Fri Nov 21 09:55:06 1997") == "1997-11-21T09:55:06Z ?");
  CHECK(iso("Fri Nov 21 09:55:06 EST 1997") == "1997-11-21T14:55:06Z -300");
  CHECK(iso("Fri, 21-Nov-97 09:55:06 +0100") == "1997-11-21T08:55:06Z 60");
  CHECK(iso("21 November 1997 09:55:06 +01:00") == "1997-11-21T08:55:06Z 60");
  CHECK(iso("21 Nov 1997") == "1997-11-21T00:00:00Z ?");
}

TEST_CASE("what is no date") {
  for (const auto* text :
       {"", "x", "32 Nov 1997 00:00:00 +0000", "30 Feb 1997 00:00:00 +0000", "21 Foo 1997 00:00:00",
        "21 Nov 1997 25:00:00 +0000", "21 Nov 1997 00:61:00 +0000", "Nov", "21", "99999999999999 Nov"}) {
    CAPTURE(text);
    CHECK(iso(text) == "none");
  }
  const std::string_view text = "Fri, 21 Nov 1997 09:55:06 -0600 (x(y))";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK_NOTHROW(parse_date(text.substr(0, cut)));
}

TEST_RFC("5322 §3.3", "written dates are read back") {
  const UtcTime time{1'700'000'000'000};
  CHECK(write_date(time, -360) == "Tue, 14 Nov 2023 16:13:20 -0600");
  for (const int offset : {0, 60, -90, 330, -720, 840}) {
    const auto read = parse_date(write_date(time, offset));
    REQUIRE(read);
    CHECK(read->time == time);
    CHECK(read->offset_minutes == offset);
  }
  for (std::int64_t day = -40'000; day < 40'000; day += 37) {
    const UtcTime at{day * 86'400'000 + 12'345'000};
    CHECK(parse_date(write_date(at, 0))->time == at);
    CHECK(days_since_1970(day_of(at, 0)) == day);
  }
}

TEST_RFC("9051 §9", "INTERNALDATE and date") {
  CHECK(write_internal_date(UtcTime{837'596'665'000}, -420) == "17-Jul-1996 02:44:25 -0700");
  CHECK(parse_internal_date("17-Jul-1996 02:44:25 -0700")->time == UtcTime{837'596'665'000});
  CHECK(parse_internal_date(" 1-Feb-1994 00:00:00 +0000").has_value());
  CHECK_FALSE(parse_internal_date("1-Feb-1994 00:00:00 +0000").has_value());
  CHECK_FALSE(parse_internal_date("31-Feb-1994 00:00:00 +0000").has_value());
  CHECK_FALSE(parse_internal_date("17-Jul-1996 02:44:25 -0760").has_value());
  CHECK(parse_imap_date("1-Feb-1994") == Day{1994, 2, 1});
  CHECK(parse_imap_date("\"01-feb-1994\"") == Day{1994, 2, 1});
  CHECK_FALSE(parse_imap_date("32-Feb-1994").has_value());
  CHECK_FALSE(parse_imap_date("1-Feb-94").has_value());
}

}  // namespace
}  // namespace facteur::message
