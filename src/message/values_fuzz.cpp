// Values of structured fields of any octets: read without harm.
#include <cstdlib>

#include "message/authentication_results.hpp"
#include "message/charset.hpp"
#include "message/encoded_word.hpp"
#include "message/list_fields.hpp"
#include "message/mime.hpp"
#include "message/partial.hpp"
#include "message/references.hpp"
#include "message/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  if (const auto all = parse_authentication_results(text); all && all->server.empty()) std::abort();
  (void)read_list_fields(text);
  std::string name;
  (void)parse_list_id(text, &name);
  (void)parse_list_uris(text);
  if (const auto type = parse_content_type(text)) {
    if (type->type.empty() || type->subtype.empty()) std::abort();
    (void)fragment_of(*type);
  }
  (void)parse_disposition(text);
  (void)decoded_parameters(raw_parameters(text));
  if (!is_utf8(decoded_text(text)) || !is_utf8(file_name(text))) std::abort();
  (void)base_subject(decoded_text(text));
  (void)parse_message_ids(text);
  const facteur::Bytes halves[] = {text.substr(0, count / 2), text.substr(count / 2)};
  (void)reassembled(halves);
  return 0;
}
