// Any value is read; our own field made of what a peer says is one field and is read back.
#include <cstdlib>
#include <string>

#include "message/header.hpp"
#include "message/received.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur;
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  (void)parse_received(text);
  ReceivedBy by{
      .helo = std::string(text), .peer = IpAddress::loopback(), .reverse_name = std::string(text), .by = "mx.example"};
  by.for_address = text;
  by.id = text;
  const std::string field = write_received(by);
  FieldScanner scanner(field);
  Field read;
  if (!scanner.next(read) || !read.is("Received") || read.whole.size() != field.size()) std::abort();
  const auto received = parse_received(read.value);
  if (!received || !received->date || received->by != "mx.example") std::abort();
  return 0;
}
