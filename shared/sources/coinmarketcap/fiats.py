"""CoinMarketCap's fiat currencies, as its documentation lists them: id, symbol, sign, name."""

_TABLE = """\
2781|USD|$|United States Dollar
2782|AUD|$|Australian Dollar
2783|BRL|R$|Brazilian Real
2784|CAD|$|Canadian Dollar
2785|CHF|Fr|Swiss Franc
2786|CLP|$|Chilean Peso
2787|CNY|¥|Chinese Yuan
2788|CZK|Kč|Czech Koruna
2789|DKK|kr|Danish Krone
2790|EUR|€|Euro
2791|GBP|£|Pound Sterling
2792|HKD|$|Hong Kong Dollar
2793|HUF|Ft|Hungarian Forint
2794|IDR|Rp|Indonesian Rupiah
2795|ILS|₪|Israeli New Shekel
2796|INR|₹|Indian Rupee
2797|JPY|¥|Japanese Yen
2798|KRW|₩|South Korean Won
2799|MXN|$|Mexican Peso
2800|MYR|RM|Malaysian Ringgit
2801|NOK|kr|Norwegian Krone
2802|NZD|$|New Zealand Dollar
2803|PHP|₱|Philippine Peso
2804|PKR|₨|Pakistani Rupee
2805|PLN|zł|Polish Złoty
2806|RUB|₽|Russian Ruble
2807|SEK|kr|Swedish Krona
2808|SGD|S$|Singapore Dollar
2809|THB|฿|Thai Baht
2810|TRY|₺|Turkish Lira
2811|TWD|NT$|New Taiwan Dollar
2812|ZAR|R|South African Rand
2813|AED|د.إ|United Arab Emirates Dirham
2814|BGN|лв|Bulgarian Lev
2815|HRK|kn|Croatian Kuna
2816|MUR|₨|Mauritian Rupee
2817|RON|lei|Romanian Leu
2818|ISK|kr|Icelandic Króna
2819|NGN|₦|Nigerian Naira
2820|COP|$|Colombian Peso
2821|ARS|$|Argentine Peso
2822|PEN|S/.|Peruvian Sol
2823|VND|₫|Vietnamese Dong
2824|UAH|₴|Ukrainian Hryvnia
2832|BOB|Bs.|Bolivian Boliviano
3526|ALL|L|Albanian Lek
3527|AMD|֏|Armenian Dram
3528|AZN|₼|Azerbaijani Manat
3529|BAM|KM|Bosnia-Herzegovina Convertible Mark
3530|BDT|৳|Bangladeshi Taka
3531|BHD|.د.ب|Bahraini Dinar
3532|BMD|$|Bermudan Dollar
3533|BYN|Br|Belarusian Ruble
3534|CRC|₡|Costa Rican Colón
3535|CUP|$|Cuban Peso
3536|DOP|$|Dominican Peso
3537|DZD|د.ج|Algerian Dinar
3538|EGP|£|Egyptian Pound
3539|GEL|₾|Georgian Lari
3540|GHS|₵|Ghanaian Cedi
3541|GTQ|Q|Guatemalan Quetzal
3542|HNL|L|Honduran Lempira
3543|IQD|ع.د|Iraqi Dinar
3544|IRR|﷼|Iranian Rial
3545|JMD|$|Jamaican Dollar
3546|JOD|د.ا|Jordanian Dinar
3547|KES|Sh|Kenyan Shilling
3548|KGS|с|Kyrgystani Som
3549|KHR|៛|Cambodian Riel
3550|KWD|د.ك|Kuwaiti Dinar
3551|KZT|₸|Kazakhstani Tenge
3552|LBP|ل.ل|Lebanese Pound
3553|LKR|Rs|Sri Lankan Rupee
3554|MAD|د.م.|Moroccan Dirham
3555|MDL|L|Moldovan Leu
3556|MKD|ден|Macedonian Denar
3557|MMK|Ks|Myanma Kyat
3558|MNT|₮|Mongolian Tugrik
3559|NAD|$|Namibian Dollar
3560|NIO|C$|Nicaraguan Córdoba
3561|NPR|₨|Nepalese Rupee
3562|OMR|ر.ع.|Omani Rial
3563|PAB|B/.|Panamanian Balboa
3564|QAR|ر.ق|Qatari Rial
3565|RSD|дин.|Serbian Dinar
3566|SAR|ر.س|Saudi Riyal
3567|SSP|£|South Sudanese Pound
3568|TND|د.ت|Tunisian Dinar
3569|TTD|$|Trinidad and Tobago Dollar
3570|UGX|Sh|Ugandan Shilling
3571|UYU|$|Uruguayan Peso
3572|UZS|so'm|Uzbekistan Som
3573|VES|Bs.|Sovereign Bolivar
"""  # noqa: RUF001 - currency signs of many scripts

FIATS: tuple[dict[str, str], ...] = tuple(
    dict(zip(("id", "symbol", "sign", "name"), line.split("|"), strict=True)) for line in _TABLE.splitlines()
)
"""In the form of the lines of `/v1/fiat/map`."""
