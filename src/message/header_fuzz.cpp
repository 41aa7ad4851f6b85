// Fields cover the header without a gap; decoding gives UTF-8; ids and subjects end.
#include <cstdlib>
#include <string>

#include "message/charset.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/references.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  FieldScanner scanner(text);
  std::size_t covered = 0;
  for (Field field; scanner.next(field);) {
    if (field.line != covered) std::abort();
    covered += field.whole.size();
    const std::string decoded = decoded_text(field.value);
    if (!is_utf8(decoded)) std::abort();
    (void)base_subject(decoded);
    (void)parse_message_ids(field.value);
  }
  if (scanner.length() > count || covered > scanner.length()) std::abort();
  return 0;
}
