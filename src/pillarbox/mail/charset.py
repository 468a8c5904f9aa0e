"""
Which charset a few octets are in: by validity, then by how common the characters would be.

A Subject of two characters must be enough, so the tables hold what is frequent in a language.
A tie goes to GB18030 among multi-octet charsets. Nothing here is loaded for a clean mail.
"""

from __future__ import annotations

__all__ = ["find_charset", "to_text"]

# More than this adds nothing to the decision but time.
_MAX_SAMPLE_BYTES = 4096

# Below this mean the text is nothing that is known: 0 is noise, 1 only frequent characters.
_MIN_SCORE = 0.25

_BOMS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运器服警盘磁"
    "存足测试失败错误备份邮件系统磁盘登录密码网络连接异常通知监控日志用户主机证书过期温度内存超时恢复启动停止"
    "任务完成您号订单验证请查收附件发送中文编码标题正文你好世界谢"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡"
    "用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
    "日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政"
    "美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員"
    "解水名真論處走義各入幾口認條平系氣題活更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計"
    "管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王完設"
    "式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運器服警碟磁存足"
    "測試失敗錯誤備份郵件統硬碟登錄入密碼網路連線異常通知監控誌用戶主機憑證溫度記憶體逾時恢復啟動停止您號"
    "訂單驗證請查收附檔送標題內容謝灣臺歡迎"
)
_JAPANESE = frozenset(
    "日本人大年出会国中事者社月分時東自行学間上同業定生新方立手見力前場場後高地内動部長民代理明合議体気今"
    "家目回当関不法実世通経要開度表全問取使現意的正発用電名信件送受接続失敗成功完了障害通知警告管理報告確"
    "認登録設定容量不足更新予約重要注意監視証明書期限切温度起動停止復旧試験文字化下題結果処連絡お願"
)
_KOREAN = frozenset(
    "이다는에의가을를은하고로한지사서도기인아그나자대리어정시수해있으보부전스일라것구주원만장상제들여안조"
    "면과오동성우치적신니공방소요게비마연용진개실모화유생관계세명중경선문국학내등물미무드트터테서버오류경고"
    "디스크알림백업공간족패완료인증서만료네워크연결확습합안녕메감메일제목내용본문발송세상처까건드려"
)

# Frequent letters beyond ASCII; of two single-octet charsets the one whose letters these are.
_SINGLE = (
    ("windows-1252", "äöüßÄÖÜéèêëàâáçñóíúîïôûùæøåÅØÉ", "’‘“”–—…€°§«»·®©¿¡"),
    ("windows-1251", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёъіїєґ", "«»№–—"),
    ("koi8-r", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёъ", ""),
    ("windows-1250", "ąćęłńśźżěščřžýůťďňőűáéíóúöüßäŁŚŻČŠŽ", "„”–"),
    ("windows-1253", "αεηικλνοπρσςτυωάέήίόύώθμγδβφχψξζ", "«»–"),
    ("windows-1254", "ğışİŞüöçÖÜÇĞ", "–"),
)

# What a single-octet charset must win by: a multi-octet one is less often valid by chance.
_SINGLE_WEIGHT = 0.9
# Windows-1252 before its rarer neighbours when the letters are the same.
_NEIGHBOUR_WEIGHT = 0.97
_NEIGHBOURS = ("windows-1250", "windows-1253", "windows-1254")


def find_charset(octets: bytes, *, is_whole: bool = True) -> str | None:
    """
    Return the MIME name of the charset the octets are in, or None when they are no text.

    Args:
        octets: The text, or its start.
        is_whole: False: the sample may end in the middle of a character.

    """
    for bom, name in _BOMS:
        if octets.startswith(bom):
            return name if _decodes(octets, name, is_whole=is_whole) else None
    if _is_binary(octets):
        return None
    if octets.isascii():
        # ISO-2022 is ASCII by its octets; its escapes are for the terminal rules, not for us.
        return "us-ascii"
    if _decodes(octets, "utf-8", is_whole=is_whole):
        return "utf-8"
    if len(octets) > _MAX_SAMPLE_BYTES:
        octets, is_whole = octets[:_MAX_SAMPLE_BYTES], False
    best, best_score = None, _MIN_SCORE
    for name, score in _scores(octets, is_whole=is_whole):
        if score > best_score:
            best, best_score = name, score
    return best


def to_text(octets: bytes, charset: str) -> str:
    """Return the octets as text; what is not of the charset is U+FFFD."""
    # The standard "big5" and "shift_jis" lack what Windows writes under these names.
    codec = {"big5": "cp950", "shift_jis": "cp932", "euc-kr": "cp949"}.get(charset, charset)
    try:
        return octets.decode(codec, "replace")
    except (LookupError, ValueError):
        return octets.decode("ascii", "replace")


def _is_binary(octets: bytes) -> bool:
    if b"\0" in octets:
        return True
    controls = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b\b\a")
    kept = octets.translate(None, controls)
    return len(octets) - len(kept) > len(octets) // 20


def _decode(octets: bytes, codec: str, *, is_whole: bool) -> str | None:
    from codecs import getincrementaldecoder

    try:
        return getincrementaldecoder(codec)("strict").decode(octets, is_whole)
    except ValueError:
        return None


def _decodes(octets: bytes, codec: str, *, is_whole: bool) -> bool:
    return _decode(octets, codec, is_whole=is_whole) is not None


def _scores(octets: bytes, *, is_whole: bool) -> list[tuple[str, float]]:
    """Score each charset the octets are valid in, the one that wins a tie first."""
    found = []
    for name, codec, weigh in (
        ("gb18030", "gb18030", _weigh_gb),
        ("big5", "cp950", _weigh_big5),
        ("shift_jis", "cp932", _weigh_shift_jis),
        ("euc-jp", "euc_jp", _weigh_euc_jp),
        ("euc-kr", "cp949", _weigh_euc_kr),
    ):
        text = _decode(octets, codec, is_whole=is_whole)
        if text is not None:
            weights = [weigh(char) for char in text if not char.isascii()]
            found.append((name, sum(weights) / max(len(weights), 1)))
    for name, letters, signs in _SINGLE:
        text = _decode(octets, name, is_whole=is_whole)
        if text is not None:
            weight = _SINGLE_WEIGHT * (_NEIGHBOUR_WEIGHT if name in _NEIGHBOURS else 1)
            found.append((name, weight * _score_letters(text, letters, signs)))
    return found


def _has_lead(char: str, codec: str, first: int, last: int) -> bool:
    """Tell whether the character's first octet is in a range: charsets put frequent ones first."""
    try:
        octets = char.encode(codec)
    except UnicodeEncodeError:
        return False
    return len(octets) == 2 and first <= octets[0] <= last


def _is_kana(char: str) -> bool:
    return "\u3041" <= char <= "\u30fe"


def _weigh_sign(char: str) -> float:
    # CJK punctuation and full-width forms; the private use area is where no text is.
    return 0.6 if "\u3000" <= char <= "\u3020" or "\uff01" <= char <= "\uff5e" else 0.1


def _weigh_gb(char: str) -> float:
    if char in _SIMPLIFIED:
        return 1.0
    if _has_lead(char, "gb2312", 0xB0, 0xD7):
        return 0.65
    if _has_lead(char, "gb2312", 0xD8, 0xF7):
        return 0.2
    if char in _TRADITIONAL:
        return 0.3
    return 0.15 if _is_kana(char) else min(_weigh_sign(char), 0.6) if char > "\u2fff" else 0.05


def _weigh_big5(char: str) -> float:
    if char in _TRADITIONAL:
        return 1.0
    if _has_lead(char, "big5", 0xA4, 0xC6):
        return 0.55
    return 0.05 if "\u4e00" <= char <= "\u9fff" else _weigh_sign(char)


def _weigh_shift_jis(char: str) -> float:
    if _is_kana(char):
        return 0.95
    if char in _JAPANESE:
        return 0.95
    if "\uff61" <= char <= "\uff9f":
        return 0.1  # half-width kana: one octet each, so anything looks like them
    return 0.5 if _has_lead(char, "shift_jis", 0x88, 0x97) else _weigh_sign(char)


def _weigh_euc_jp(char: str) -> float:
    if _is_kana(char) or char in _JAPANESE:
        return 0.95
    return 0.5 if _has_lead(char, "euc_jp", 0xB0, 0xCF) else _weigh_sign(char)


def _weigh_euc_kr(char: str) -> float:
    if char in _KOREAN:
        return 0.98
    return 0.55 if _has_lead(char, "euc_kr", 0xB0, 0xC8) else _weigh_sign(char)


def _score_letters(text: str, letters: str, signs: str) -> float:
    total, count = 0.0, 0
    before = " "
    is_latin = letters[0] < "\u0370"
    for char in text:
        if not char.isascii():
            count += 1
            if is_latin == (before.isalpha() and not before.isascii()) and before.isalpha():
                # Latin words have few such letters in a row; others have no ASCII inside.
                total -= 0.1 if is_latin else 0.5
            if char in letters or (char.lower() in letters and not before.islower()):
                total += 0.95 if char.islower() or not before.isalpha() or before.isupper() else 0.4
            elif char in signs:
                total += 0.7
        before = char
    return total / max(count, 1)
