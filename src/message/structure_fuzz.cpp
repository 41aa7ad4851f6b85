// Records of any content open, and all their ranges lie inside the message; damaged records do no harm.
#include <cstdlib>
#include <string>
#include <vector>

#include "message/mime.hpp"
#include "message/structure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  const std::string record = make_structure("Return-Path: <>\r\n", text);
  const auto structure = Structure::open(record);
  if (!structure || structure->size() != count + 17) std::abort();
  if (structure->envelope().front() != '(' || structure->bodystructure().back() != ')') std::abort();
  for (const auto& entity : structure->entities()) {
    if (entity.header.offset + entity.header.length != entity.body.offset) std::abort();
    if (entity.body.offset + entity.body.length > structure->size()) std::abort();
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    for (std::uint32_t k = 0; k < 3; ++k) {
      const std::vector<std::uint32_t> numbers =
          k == 0 ? std::vector<std::uint32_t>{i} : std::vector<std::uint32_t>{i, k};
      for (const auto which : {SectionText::all, SectionText::header, SectionText::text, SectionText::mime}) {
        const auto range = structure->section(numbers, which);
        if (range && range->offset + range->length > structure->size()) std::abort();
      }
    }
  }
  for (const Part& part : parse_mime(text).parts) (void)decoded_body_text(text, part);
  if (const auto damaged = Structure::open(text)) {
    (void)damaged->entities();
    (void)damaged->date();
    (void)damaged->text(HeaderText::references);
  }
  return 0;
}
