// Any message becomes 7bit with the same parts, or stays as it is for a reason; what has become so stays so.
#include <cstdlib>
#include <string>

#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/seven_bit.hpp"

namespace {

using namespace facteur::message;

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const std::string_view before(reinterpret_cast<const char*>(bytes), count);
  (void)needs_utf8_transport(before);
  const auto after = to_seven_bit(before);
  if (!after) {
    must(!reason_of(after.error()).empty());
    return 0;
  }
  if (!needs_encoding(before)) must(*after == before);
  const auto old = parse_mime(before);
  const auto now = parse_mime(*after);
  std::size_t i = 0;
  for (const Part& is : now.parts) {
    must(i < old.parts.size());
    const Part& was = old.parts[i++];
    // RFC 6532 §3.7: message/global may be encoded, and is a leaf then.
    const bool closed = was.content_type.is("message", "global") && is.kind == Part::Kind::leaf;
    must(was.depth == is.depth && (closed || was.kind == is.kind));
    if (is.kind != Part::Kind::leaf) continue;
    must(!needs_encoding(after->substr(is.body, is.body_length)));
    must(decoded_body(before, was) == decoded_body(*after, is));
    while (i < old.parts.size() && old.parts[i].depth > was.depth) ++i;
  }
  must(i == old.parts.size());
  const auto again = to_seven_bit(*after);
  must(again && *again == *after);
  return 0;
}
