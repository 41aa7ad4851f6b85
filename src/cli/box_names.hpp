// Names of mailboxes as names of files and folders, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "message/mail_state.hpp"

namespace facteur::cli {

// One level of a mailbox's path as the name of a file: UTF-8; '%', control octets, a '.' in front, and what would read
// as an ending of ours (".mbox", ".sbd", ".eml") as %XX. And back: only what may have been written so is decoded.
std::string file_name_of_level(std::string_view level);
std::string level_of_file_name(std::string_view name);

// Maildir++: "Lists/Köln" is ".Lists.K&APY-ln"; a '.' in a level is "&AC4-", which others read back, too.
// Empty: not a folder's name.
std::string maildir_folder_of(std::string_view mailbox);
std::string mailbox_of_maildir_folder(std::string_view folder);

// "17.FS.eml" says Flagged and Seen, with the letters of Maildir. nullopt: not a name of ours.
std::string eml_name(unsigned long long number, const message::MailState& state);
std::optional<message::MailState> state_of_eml(std::string_view name);

// Whether a file of that name comes before another: numbers within names by their value, so that "9.eml" and
// "1046.M9.x" come before "10.eml" and "1046.M10.x"; all else by octets. Zeros in front of a number count last.
bool comes_before(std::string_view name, std::string_view other);

}  // namespace facteur::cli
