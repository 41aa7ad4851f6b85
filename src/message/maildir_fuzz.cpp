// Any name of a file, folder or keyword list is read, and means the same when written again.
#include <cstdlib>

#include "message/maildir.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  const auto name = parse_maildir_name(text);
  const auto again = parse_maildir_name(write_maildir_name(name));
  if (again.base != name.base || !(again.state == name.state) || again.size != name.size) std::abort();
  const auto levels = parse_maildir_folder(text);
  if (!levels.empty() && write_maildir_folder(levels) != text) std::abort();
  const auto keywords = MaildirKeywords::parse(text).write();
  if (MaildirKeywords::parse(keywords).write() != keywords) std::abort();
  return 0;
}
