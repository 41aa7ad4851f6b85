#include "cli/box_names.hpp"

#include <doctest/doctest.h>

namespace facteur::cli {
namespace {

TEST_CASE("names of mailboxes as names of files, and back") {
  for (const auto* level : {"INBOX", "Köln", "50% off", "a.b", ".hidden", "..", "x.mbox", "x.sbd.mbox", "y.eml.txt"}) {
    CAPTURE(level);
    const std::string name = file_name_of_level(level);
    CHECK(level_of_file_name(name) == level);
    CHECK_FALSE(name.starts_with('.'));
    CHECK(name.find('/') == std::string::npos);
    CHECK_FALSE(name.ends_with(".mbox"));
    CHECK(mailbox_of_maildir_folder(maildir_folder_of(level)) == level);
  }
  CHECK(level_of_file_name("100%") == "100%");
  CHECK(level_of_file_name("a%41b%2Fc") == "a%41b%2Fc");  // Not of our making: as it is.
  CHECK(level_of_file_name("caf\xe9") == "mailbox");
  CHECK(maildir_folder_of("Lists/K\u00f6ln.de") == ".Lists.K&APY-ln&AC4-de");
  CHECK(mailbox_of_maildir_folder(".Lists.K&APY-ln&AC4-de") == "Lists/K\u00f6ln.de");
  CHECK(mailbox_of_maildir_folder(".K\u00f6ln") == "K\u00f6ln");
  CHECK(mailbox_of_maildir_folder("cur").empty());
}

TEST_CASE("names of single messages say the flags") {
  message::MailState state{.seen = true, .flagged = true};
  CHECK(eml_name(17, state) == "0000000017.FS.eml");
  CHECK(state_of_eml("0000000017.FS.eml") == state);
  CHECK(state_of_eml("17..eml") == message::MailState{});
  for (const auto* other : {"17.eml", "x.FS.eml", "17.FX.eml", "17.FS.txt", "eml", ""})
    CHECK_FALSE(state_of_eml(other));
}

TEST_CASE("files come in the order of the numbers in their names") {
  for (const auto& [name, other] : {std::pair{"9.eml", "10.eml"},
                                    {"1046.M9.x", "1046.M10.x"},
                                    {"1046.M9.x", "1047.M1.x"},
                                    {"999.M1.x", "1046.M1.x"},
                                    {"a", "a1"},
                                    {"a1", "ab"},
                                    {"", "a"},
                                    {"1", "01"},
                                    {"007.a", "8"},
                                    {"a\x7f", "\xc3\xa9"}}) {
    CAPTURE(name);
    CAPTURE(other);
    const bool zeros = std::string_view(name) == "1";
    CHECK(comes_before(name, other) != zeros);
    CHECK(comes_before(other, name) == zeros);
    CHECK_FALSE(comes_before(name, name));
  }
}

}  // namespace
}  // namespace facteur::cli
