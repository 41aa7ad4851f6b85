// Any octets as a manifest, and as the body of one whose checksum fits: what is taken can be told again, and no name in
// it leads out of its folder.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "backup/manifest.hpp"
#include "base/base64.hpp"
#include "crypto/hash.hpp"

using namespace facteur;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(backup::decode(text));
  const auto taken =
      backup::decode(R"({"body":)" + text + R"(,"sha256":")" + to_hex(crypto::sha256(text).view()) + "\"}\n");
  if (!taken) return 0;
  const auto again = backup::decode(backup::encode(*taken));
  if (!again || backup::encode(*again) != backup::encode(*taken)) std::abort();
  for (const auto& file : taken->files) {
    if (("/" + file.path + "/").find("/../") != std::string::npos) std::abort();
    if (file.sha256.find('/') != std::string::npos) std::abort();
  }
  return 0;
}
