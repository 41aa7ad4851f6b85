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
  must(old.parts.size() == now.parts.size());
  for (std::size_t i = 0; i < old.parts.size(); ++i) {
    const Part& was = old.parts[i];
    const Part& is = now.parts[i];
    must(was.kind == is.kind && was.depth == is.depth);
    if (was.kind != Part::Kind::leaf) continue;
    must(!needs_encoding(after->substr(is.body, is.body_length)));
    must(decoded_body(before, was) == decoded_body(*after, is));
  }
  const auto again = to_seven_bit(*after);
  must(again && *again == *after);
  return 0;
}
