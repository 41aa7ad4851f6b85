// What is made of any octets for people to read is UTF-8 without controls, and within its bounds; files in texts and
// TNEF do no harm; a text that is searched as it lies is what decoding would give.
#include <cstdlib>

#include "message/ambiguity.hpp"
#include "message/charset.hpp"
#include "message/embedded.hpp"
#include "message/enriched.hpp"
#include "message/flowed.hpp"
#include "message/html.hpp"
#include "message/mime.hpp"
#include "message/rtf.hpp"
#include "message/text.hpp"
#include "message/tnef.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  const std::string utf8 = to_utf8(text, "utf-8");
  if (!is_utf8(enriched_to_text(utf8, 1'000'000))) std::abort();
  if (!is_utf8(html_to_text(utf8, 1'000'000)) || !is_utf8(unflowed(utf8, true))) std::abort();
  for (const auto& file : find_embedded(text)) {
    if (file.offset + file.length > count || file.octets.size() > count * 300) std::abort();
  }
  (void)has_embedded(text);
  if (!is_utf8(rtf_to_text(text, 1'000'000)) || !is_utf8(rtf_to_text("{\\rtf1 " + std::string(text), 1'000'000))) {
    std::abort();
  }
  (void)decode_binhex(text);
  if (const auto tnef = parse_tnef(text)) {
    if (!is_utf8(tnef->subject) || !is_utf8(tnef->text)) std::abort();
  }
  const auto tree = parse_mime(text);
  const std::string shown = display_text(text, tree, 10'000);
  const std::string line = preview(text, tree);
  if (!is_utf8(shown) || !is_utf8(line) || line.find('\n') != std::string::npos || line.size() > 800) std::abort();
  if (!is_utf8(searchable_text(text, tree))) std::abort();
  for (const Part& part : tree.parts) {
    const std::string_view body = text.substr(part.body, part.body_length);
    if (!searchable_as_it_is(part, body)) continue;
    const bool leaf = part.kind == Part::Kind::leaf;
    if (leaf && searchable_leaf(part, "", body, count + 1) != without_controls(body)) std::abort();
  }
  (void)find_ambiguities(text, tree);
  return 0;
}
