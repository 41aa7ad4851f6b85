// The corpora beside the checkout, and suites of their cases with the list of those that come out otherwise here.
//
// docs/message-corpora.md lists for each suite the cases that differ, with the reason. A case that differs and is not
// listed fails the test, and so does one that is listed and does not differ.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::message::corpora {

namespace fs = std::filesystem;

// $FACTEUR_CORPORA, or shared/corpora beside the checkout or beside a folder above it (worktrees).
inline fs::path root() {
  if (const char* set = std::getenv("FACTEUR_CORPORA")) return set;
  for (fs::path above = fs::current_path(); above.has_relative_path(); above = above.parent_path()) {
    if (fs::exists(above / "shared/corpora")) return above / "shared/corpora";
  }
  return "../shared/corpora";
}

// False, and said so, if the corpus is not there.
inline bool present(const fs::path& path) {
  if (fs::exists(path)) return true;
  MESSAGE("skipped: " << path.filename().string() << " is not here");
  return false;
}

inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Regular files below a folder in the order of their names, without what describes the corpus.
inline std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != "ORIGIN.txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// Counts of each corpus over all its suites; said in one line each when the program ends.
class Totals {
 public:
  Totals() = default;
  Totals(const Totals&) = delete;
  Totals& operator=(const Totals&) = delete;
  ~Totals() {
    for (const auto& [corpus, one] : counts_) {
      std::printf("corpus %s: %d cases in %d suites, %d as expected, %d otherwise, %d of them not explained\n",
                  corpus.c_str(), one.all, one.suites, one.good, one.all - one.good, one.unexplained);
    }
  }
  // `suite`: "corpus/part" or "corpus, part".
  void add(std::string_view suite, int all, int good, int unexplained) {
    auto& one = counts_[std::string(suite.substr(0, suite.find_first_of("/,")))];
    ++one.suites;
    one.all += all;
    one.good += good;
    one.unexplained += unexplained;
  }

 private:
  struct Counts {
    int suites = 0;
    int all = 0;
    int good = 0;
    int unexplained = 0;
  };
  std::map<std::string, Counts> counts_;
};
inline Totals totals;

class Suite {
 public:
  explicit Suite(std::string name) : name_(std::move(name)) { read_list(); }
  Suite(const Suite&) = delete;
  Suite& operator=(const Suite&) = delete;

  void add(std::string id, bool good, std::string_view got = {}, std::string_view wanted = {}) {
    std::ranges::replace(id, ' ', '_');
    ++all_;
    good_ += good;
    if (!good && std::getenv("FACTEUR_SHOW")) {
      MESSAGE(name_ << " " << id << "\n  got:    " << got << "\n  wanted: " << wanted);
    }
    const bool listed = listed_.contains(id);
    if (!good && !listed) {
      unexpected_ += " " + id;
      ++unexplained_;
    }
    if (good && listed) mended_ += " " + id;
  }
  void add(std::string id, std::string_view got, std::string_view wanted) {
    add(std::move(id), got == wanted, got, wanted);
  }

  // Says the counts; to be called once.
  void report() {
    MESSAGE(name_ << ": " << good_ << " passed, " << all_ - good_ << " differ (" << unexplained_ << " not listed) of "
                  << all_);
    totals.add(name_, all_, good_, unexplained_);
    CHECK(all_ > 0);
    CHECK_MESSAGE(unexpected_.empty(), "not listed in docs/message-corpora.md under " << name_ << ":" << unexpected_);
    CHECK_MESSAGE(mended_.empty(),
                  "listed in docs/message-corpora.md under " << name_ << ", but as wanted:" << mended_);
  }

 private:
  // "## NAME", then table rows "| case case... | why |".
  void read_list() {
    std::ifstream in("docs/message-corpora.md");
    bool here = false;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("## ")) here = line.substr(3) == name_;
      if (!here || !line.starts_with("| ") || line.starts_with("| Case")) continue;
      const std::string cell = line.substr(2, line.find(" | ") - 2);
      for (std::size_t at = 0; at < cell.size();) {
        const std::size_t end = std::min(cell.find(' ', at), cell.size());
        if (end > at) listed_.insert(cell.substr(at, end - at));
        at = end + 1;
      }
    }
  }

  std::string name_;
  std::set<std::string> listed_;
  int good_ = 0;
  int all_ = 0;
  int unexplained_ = 0;
  std::string unexpected_;
  std::string mended_;
};

}  // namespace facteur::message::corpora
