#include "server/patient_write.hpp"

#include <vector>

namespace facteur::server {

Task<Result<void>> write_patiently(world::Stream& stream, world::Clock& clock, std::span<const Bytes> pieces) {
  std::vector<Bytes> slice;
  std::size_t gathered = 0;
  for (Bytes piece : pieces) {
    while (!piece.empty()) {
      slice.push_back(piece.substr(0, patient_slice - gathered));
      gathered += slice.back().size();
      piece.remove_prefix(slice.back().size());
      if (gathered < patient_slice) continue;
      auto sent = co_await stream.write(slice, clock.now() + patience);
      if (!sent) co_return sent;
      slice.clear();
      gathered = 0;
    }
  }
  if (slice.empty()) co_return Result<void>();
  co_return co_await stream.write(slice, clock.now() + patience);
}

}  // namespace facteur::server
