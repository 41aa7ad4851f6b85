#include "server/patient_write.hpp"

#include <vector>

namespace facteur::server {

namespace {

constexpr std::size_t page = 4096;

// Reads one octet of each page, so that those that cannot be read are known before anything of them is sent.
void touch(std::span<const Bytes> slice) {
  for (const Bytes piece : slice) {
    for (std::size_t at = 0; at < piece.size(); at += page)
      static_cast<void>(*const_cast<const volatile char*>(&piece[at]));
    if (!piece.empty()) static_cast<void>(*const_cast<const volatile char*>(&piece.back()));
  }
}

std::unexpected<Failure> unreadable() {
  return failure(Failure::Kind::corrupt, "F-6151", "A stored message could no longer be read while it was sent");
}

}  // namespace

Task<Result<void>> write_patiently(world::Stream& stream, world::Clock& clock, std::span<const Bytes> pieces,
                                   std::function<bool()> intact) {
  std::vector<Bytes> slice;
  std::size_t gathered = 0;
  bool first = true;
  for (Bytes piece : pieces) {
    while (!piece.empty()) {
      slice.push_back(piece.substr(0, patient_slice - gathered));
      gathered += slice.back().size();
      piece.remove_prefix(slice.back().size());
      if (gathered < patient_slice) continue;
      // What the first slice shows was compared with its checksum just now; a later one may have waited for minutes.
      if (intact && !first) touch(slice);
      if (intact && !intact()) co_return unreadable();
      auto sent = co_await stream.write(slice, clock.now() + patience);
      if (!sent) co_return sent;
      slice.clear();
      gathered = 0;
      first = false;
    }
  }
  if (!slice.empty()) {
    if (intact && !first) touch(slice);
    if (intact && !intact()) co_return unreadable();
    auto sent = co_await stream.write(slice, clock.now() + patience);
    if (!sent) co_return sent;
  }
  if (intact && !intact()) co_return unreadable();
  co_return Result<void>();
}

}  // namespace facteur::server
