// Reading a header allocates nothing for each line of it.
#include <cstdlib>
#include <new>

#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"

namespace {
thread_local std::size_t allocations = 0;
}

// All allocations of this test program come through here.
void* operator new(std::size_t octets) {
  ++allocations;
  if (void* room = std::malloc(octets > 0 ? octets : 1)) return room;
  throw std::bad_alloc();
}
void* operator new[](std::size_t octets) { return operator new(octets); }
void operator delete(void* room) noexcept { std::free(room); }
void operator delete[](void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }
void operator delete[](void* room, std::size_t) noexcept { std::free(room); }

namespace facteur::message {
namespace {

std::string with_fields(int count) {
  std::string out = "From: a@example.org\r\nSubject: x\r\n";
  for (int i = 0; i < count; ++i)
    out += "X-Field: some value\r\n\tfolded\r\nReceived: from a by b; 1 Jan 2026 10:00:00 +0000\r\n";
  return out + "Content-Type: text/plain\r\n\r\ntext\r\n";
}

template <class Read>
std::size_t allocations_of(Read read, const std::string& message) {
  const std::size_t before = allocations;
  read(message);
  return allocations - before;
}

TEST_CASE("no allocation for a header line, however many there are") {
  const std::string few = with_fields(5);
  const std::string many = with_fields(5'000);
  const auto scan = [](const std::string& message) {
    FieldScanner scanner(message);
    for (Field field; scanner.next(field);) {
    }
  };
  CHECK(allocations_of(scan, many) == 0);
  const auto parse = [](const std::string& message) { (void)parse_mime(message); };
  CHECK(allocations_of(parse, few) > 0);  // The counter counts.
  CHECK(allocations_of(parse, many) == allocations_of(parse, few));
  const auto record = [](const std::string& message) { (void)make_structure({}, message); };
  CHECK(allocations_of(record, many) == allocations_of(record, few));
}

}  // namespace
}  // namespace facteur::message
