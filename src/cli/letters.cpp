#include "cli/letters.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "base/ascii.hpp"
#include "cli/box_names.hpp"
#include "message/date.hpp"
#include "message/header.hpp"
#include "message/maildir.hpp"
#include "message/mbox.hpp"
#include "message/received.hpp"

namespace facteur::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t piece = 256 * 1024;
constexpr std::uint64_t largest_message = 256 * 1024 * 1024;

// One file or folder that holds messages of one mailbox.
struct Unit {
  BoxFormat format = BoxFormat::mbox;
  fs::path path;
  std::string mailbox;
  std::vector<fs::path> files;  // Of single messages.
};

std::optional<UtcTime> modified(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return UtcTime{static_cast<std::int64_t>(found.st_mtim.tv_sec) * 1000 + found.st_mtim.tv_nsec / 1'000'000};
}

// When the message arrived, as far as its header tells: the newest Received field, or the Date.
std::optional<UtcTime> arrival(Bytes octets) {
  const Bytes header = octets.substr(0, message::header_length(octets));
  if (const auto field = message::first_field(header, "Received")) {
    const auto received = message::parse_received(*field);
    if (received && received->date) return received->date->time;
  }
  if (const auto field = message::first_field(header, "Date")) {
    if (const auto date = message::parse_date(*field)) return date->time;
  }
  return std::nullopt;
}

bool read_whole(const fs::path& path, std::string& into) {
  std::error_code wrong;
  if (fs::file_size(path, wrong) > largest_message || wrong) return false;
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  into.assign(std::istreambuf_iterator<char>(in), {});
  return !in.bad();
}

// "1035478339.27041_118.foo.org" and more: as every writer of Maildir names files.
bool is_maildir_name(std::string_view name) {
  const auto end = std::ranges::find_if_not(name, ascii::is_digit);
  return end - name.begin() >= 9 && end != name.end() && *end == '.';
}

// With "cur" and "new", or a message in one of them: archives leave empty folders out.
bool is_maildir(const fs::path& path) {
  std::error_code none;
  if (fs::is_directory(path / "cur", none) && fs::is_directory(path / "new", none)) return true;
  for (const auto* sub : {"cur", "new"}) {
    for (const auto& entry : fs::directory_iterator(path / sub, none)) {
      if (entry.is_regular_file(none) && is_maildir_name(entry.path().filename().string())) return true;
    }
  }
  return false;
}

// Whether folders of Maildir++ stand in it, as they do beside an INBOX that is empty and was left out.
bool has_maildir_folders(const fs::path& path) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(path, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && !mailbox_of_maildir_folder(name).empty() && is_maildir(entry.path())) return true;
  }
  return false;
}

BoxFormat format_of_file(std::istream& in) {
  std::string start(1024, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(in.gcount()));
  in.clear();
  in.seekg(0);
  return message::looks_like_mbox(start) ? BoxFormat::mbox : BoxFormat::eml;
}

std::string below(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : name.empty() ? parent : parent + "/" + name;
}

// "inbox" at the top is INBOX; nothing at all, too.
std::string mailbox_name(const std::string& path) {
  if (path.empty() || ascii::equal_ignoring_case(path, "INBOX")) return "INBOX";
  return path;
}

class FileLetters : public Letters {
 public:
  explicit FileLetters(std::vector<Unit> units) : units_(units.begin(), units.end()) {}

  bool next(Letter& into) override {
    while (true) {
      if (reading_ && (reader_ ? next_of_mbox(into) : next_of_files(into))) return true;
      reading_ = false;
      if (units_.empty()) return false;
      unit_ = std::move(units_.front());
      units_.pop_front();
      begin();
      into = {};
      into.mailbox = unit_.mailbox;
      into.only_mailbox = true;
      return true;
    }
  }
  std::uint64_t skipped() const override { return skipped_; }

 private:
  void begin() {
    reading_ = true;
    reader_.reset();
    files_.clear();
    at_ = 0;
    if (unit_.format == BoxFormat::mbox) {
      reader_.emplace();
      file_ = std::ifstream();
      if (unit_.path != "-") file_.open(unit_.path, std::ios::binary);
    } else if (unit_.format == BoxFormat::eml) {
      files_ = std::move(unit_.files);
    } else {
      begin_maildir();
    }
  }

  void begin_maildir() {
    std::string text;
    keywords_ = {};
    if (read_whole(unit_.path / "dovecot-keywords", text)) keywords_ = message::MaildirKeywords::parse(text);
    for (const auto* sub : {"cur", "new"}) {
      std::error_code none;
      for (const auto& entry : fs::directory_iterator(unit_.path / sub, none)) {
        if (entry.is_regular_file(none) && !entry.path().filename().string().starts_with('.')) {
          files_.push_back(entry.path());
        }
      }
    }
    // In the order they came: names begin with the seconds, and go on with a number.
    std::ranges::sort(files_, comes_before, [](const fs::path& path) { return path.filename().string(); });
  }

  bool next_of_mbox(Letter& into) {
    message::MboxLetter letter;
    while (true) {
      const auto step = reader_->next(letter);
      if (step == message::MboxReader::Step::end) return false;
      if (step == message::MboxReader::Step::more) {
        read_more();
        continue;
      }
      if (letter.too_large || letter.state.expunged) {
        ++skipped_;
        continue;
      }
      into = {unit_.mailbox, std::move(letter.octets), std::move(letter.state), letter.received, false};
      if (!into.received) into.received = arrival(into.octets);
      return true;
    }
  }

  void read_more() {
    std::istream& in = unit_.path == "-" ? std::cin : static_cast<std::istream&>(file_);
    buffer_.resize(piece);
    in.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    const auto count = static_cast<std::size_t>(in.gcount());
    if (count == 0) return reader_->end();
    reader_->add(Bytes(buffer_).substr(0, count));
  }

  bool next_of_files(Letter& into) {
    while (at_ < files_.size()) {
      const fs::path& path = files_[at_++];
      into = {};
      into.mailbox = unit_.mailbox;
      const bool good = unit_.format == BoxFormat::maildir ? read_maildir(path, into) : read_eml(path, into);
      if (good) return true;
      ++skipped_;
    }
    return false;
  }

  bool read_maildir(const fs::path& path, Letter& into) {
    if (!read_whole(path, into.octets)) return false;
    const auto name = message::parse_maildir_name(path.filename().string());
    if (!message::is_verbatim(name, into.octets.size())) into.octets = message::crlf_lines(into.octets);
    into.state = name.state;
    for (const char letter : name.letters) into.state.add_keyword(keywords_.keyword(letter));
    into.received = modified(path);
    return true;
  }

  bool read_eml(const fs::path& path, Letter& into) {
    if (path == "-") {
      into.octets.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else if (!read_whole(path, into.octets)) {
      return false;
    }
    if (const auto state = state_of_eml(path.filename().string())) {  // One that we exported: as it is.
      into.state = *state;
      into.received = modified(path);
      return true;
    }
    if (into.octets.find("\r\n") == std::string::npos) into.octets = message::crlf_lines(into.octets);
    into.received = arrival(into.octets);
    if (!into.received && path != "-") into.received = modified(path);
    return true;
  }

  std::deque<Unit> units_;
  Unit unit_;
  bool reading_ = false;
  std::optional<message::MboxReader> reader_;
  std::ifstream file_;
  std::string buffer_;
  std::vector<fs::path> files_;
  std::size_t at_ = 0;
  message::MaildirKeywords keywords_;
  std::uint64_t skipped_ = 0;
};

// Finds what holds messages below a folder.
class Finder {
 public:
  explicit Finder(BoxFormat format) : format_(format) {}

  void look(const fs::path& folder, const std::string& mailbox) {
    if (is_maildir(folder) && wanted(BoxFormat::maildir)) {
      units.push_back({BoxFormat::maildir, folder, mailbox_name(mailbox), {}});
    }
    std::vector<fs::directory_entry> entries;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) entries.push_back(entry);
    std::ranges::sort(entries, comes_before,
                      [](const fs::directory_entry& entry) { return entry.path().filename().string(); });
    const bool inside = is_maildir(folder) || has_maildir_folders(folder);
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (entry.is_directory(none)) {
        look_below(entry.path(), name, mailbox, inside);
      } else if (entry.is_regular_file(none) && !inside) {
        look_at_file(entry.path(), name, mailbox);
      }
    }
  }

  std::vector<Unit> units;

 private:
  bool wanted(BoxFormat format) const { return format_ == BoxFormat::automatic || format_ == format; }

  void look_below(const fs::path& path, const std::string& name, const std::string& mailbox, bool inside) {
    if (inside && (name == "cur" || name == "new" || name == "tmp")) return;
    if (inside && name.starts_with('.')) {
      const std::string folder = mailbox_of_maildir_folder(name);
      if (!folder.empty() && is_maildir(path)) look(path, below(mailbox, folder));
      return;
    }
    // Thunderbird keeps the mailboxes below "Work" in "Work.sbd".
    std::string level = name;
    if (level.ends_with(".sbd")) level.resize(level.size() - 4);
    if (!name.starts_with('.')) look(path, below(mailbox, level_of_file_name(level)));
  }

  void look_at_file(const fs::path& path, std::string name, const std::string& mailbox) {
    std::ifstream in(path, std::ios::binary);
    if (!in || name.ends_with(".msf") || name.starts_with('.')) return;
    const bool box = name.ends_with(".mbox") || name.ends_with(".mbx");
    const bool empty = in.peek() == std::ifstream::traits_type::eof();
    in.clear();
    if (wanted(BoxFormat::mbox) && ((empty && box) || (!empty && format_of_file(in) == BoxFormat::mbox))) {
      if (box) name.resize(name.rfind('.'));
      units.push_back({BoxFormat::mbox, path, mailbox_name(below(mailbox, level_of_file_name(name))), {}});
    } else if (wanted(BoxFormat::eml) && name.ends_with(".eml")) {
      const std::string here = mailbox_name(mailbox);
      const bool more = !units.empty() && units.back().format == BoxFormat::eml && units.back().mailbox == here;
      if (!more) units.push_back({BoxFormat::eml, path.parent_path(), here, {}});
      units.back().files.push_back(path);
    }
  }

  BoxFormat format_;
};

}  // namespace

std::optional<BoxFormat> box_format(std::string_view name) {
  if (name == "auto" || name.empty()) return BoxFormat::automatic;
  if (name == "mbox") return BoxFormat::mbox;
  if (name == "maildir") return BoxFormat::maildir;
  if (name == "eml") return BoxFormat::eml;
  return std::nullopt;
}

Result<std::unique_ptr<Letters>> open_letters(const std::string& path, BoxFormat format, const std::string& into) {
  std::error_code none;
  std::vector<Unit> units;
  if (path == "-") {
    units.push_back({format == BoxFormat::eml ? format : BoxFormat::mbox, path, mailbox_name(into), {path}});
  } else if (fs::is_directory(path, none)) {
    Finder finder(format);
    finder.look(path, into);
    units = std::move(finder.units);
  } else {
    std::ifstream in(path, std::ios::binary);
    if (!in) return failure(Failure::Kind::permanent, "F-6240", "The file cannot be read", path);
    if (format == BoxFormat::automatic) format = format_of_file(in);
    units.push_back({format, path, mailbox_name(into), {path}});
  }
  return std::make_unique<FileLetters>(std::move(units));
}

}  // namespace facteur::cli
