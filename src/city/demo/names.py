"""Invented names by generation, with their Latin spelling; each given name is used once in the whole city."""

from enum import StrEnum
from typing import Final

from city.demo.model import Sex


class Generation(StrEnum):
    ELDER = "elder"
    MIDDLE = "middle"
    CHILD = "child"


def _names(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (word.split(":") for word in text.split())
    return tuple((chinese, latin) for chinese, latin in pairs)


SURNAMES: Final = _names("""
    林:Lin 顾:Gu 沈:Shen 陆:Lu 周:Zhou 许:Xu 潘:Pan 蒋:Jiang 余:Yu 叶:Ye 程:Cheng 方:Fang 姚:Yao 钱:Qian 丁:Ding
    夏:Xia 汪:Wang 金:Jin 范:Fan 石:Shi 韩:Han 唐:Tang 冯:Feng 董:Dong 袁:Yuan 邓:Deng 傅:Fu 曾:Zeng 彭:Peng 吕:Lyu
    苏:Su 卢:Lu 贾:Jia 魏:Wei 薛:Xue 阎:Yan 江:Jiang 史:Shi 侯:Hou 邵:Shao 孟:Meng 龙:Long 万:Wan 段:Duan 雷:Lei
    汤:Tang 尹:Yin 黎:Li 易:Yi 常:Chang 武:Wu 乔:Qiao 贺:He 赖:Lai 龚:Gong 文:Wen 庞:Pang 樊:Fan 殷:Yin 施:Shi
    陶:Tao 洪:Hong 翟:Zhai 安:An 颜:Yan 倪:Ni 严:Yan 牛:Niu 温:Wen 芦:Lu 季:Ji 俞:Yu 章:Zhang 鲁:Lu 葛:Ge
    毕:Bi 柳:Liu 聂:Nie 焦:Jiao 向:Xiang 岳:Yue 梅:Mei 庄:Zhuang 辛:Xin 管:Guan 祝:Zhu 左:Zuo 涂:Tu 谷:Gu 祁:Qi
    耿:Geng 牟:Mou 卜:Bu 路:Lu 詹:Zhan 关:Guan 苗:Miao 凌:Ling 费:Fei 纪:Ji 靳:Jin 盛:Sheng 童:Tong 欧:Ou 甄:Zhen
    项:Xiang 曲:Qu 成:Cheng 游:You 裴:Pei 席:Xi 卫:Wei 查:Zha 屈:Qu 鲍:Bao 覃:Qin 霍:Huo 翁:Weng 隋:Sui 植:Zhi
""")

_ELDER_MEN: Final = _names("""
    德贵:Degui 福根:Fugen 金海:Jinhai 永祥:Yongxiang 宝昌:Baochang 瑞林:Ruilin 顺兴:Shunxing 阿毛:Amao 荣生:Rongsheng
    志坚:Zhijian 根宝:Genbao 文魁:Wenkui 松年:Songnian 伯涛:Botao 家骥:Jiaji 炳才:Bingcai 洪发:Hongfa 国桢:Guozhen
    有田:Youtian 水生:Shuisheng 耀庭:Yaoting 维民:Weimin 连生:Liansheng 长庚:Changgeng 守业:Shouye 祖荫:Zuyin
    仁和:Renhe 锦堂:Jintang 福祥:Fuxiang 茂林:Maolin 庆余:Qingyu 鹤年:Henian 春山:Chunshan 树德:Shude 敬之:Jingzhi
    万全:Wanquan 立本:Liben 厚生:Housheng
""")

_ELDER_WOMEN: Final = _names("""
    凤英:Fengying 桂珍:Guizhen 秀兰:Xiulan 月娥:Yuee 彩娣:Caidi 阿妹:Amei 惠芬:Huifen 玉琴:Yuqin 爱宝:Aibao
    素贞:Suzhen 巧云:Qiaoyun 金妹:Jinmei 梅芳:Meifang 佩珍:Peizhen 文娟:Wenjuan 雪琴:Xueqin 丽华:Lihua 银娣:Yindi
    桂香:Guixiang 淑贤:Shuxian 招娣:Zhaodi 秋菊:Qiuju 美娟:Meijuan 荷珍:Hezhen 锦秀:Jinxiu 莲芬:Lianfen
    翠凤:Cuifeng 瑞珠:Ruizhu 福妹:Fumei 静娴:Jingxian 宝珠:Baozhu 碧云:Biyun 佩兰:Peilan 蕴华:Yunhua 舜英:Shunying
    慧珠:Huizhu 若梅:Ruomei 怀玉:Huaiyu
""")

_MIDDLE_MEN: Final = _names("""
    建平:Jianping 伟明:Weiming 志远:Zhiyuan 晓东:Xiaodong 海峰:Haifeng 俊杰:Junjie 立新:Lixin 鸿飞:Hongfei 文斌:Wenbin
    启航:Qihang 少华:Shaohua 世杰:Shijie 振宇:Zhenyu 思齐:Siqi 明轩:Mingxuan 家豪:Jiahao 一鸣:Yiming 卫国:Weiguo
    正阳:Zhengyang 凯文:Kaiwen 承志:Chengzhi 昊然:Haoran 学军:Xuejun 永强:Yongqiang 宏亮:Hongliang 天佑:Tianyou
    景行:Jingxing 致远:Zhiyuan 乐山:Leshan 云帆:Yunfan 长风:Changfeng 秉文:Bingwen 子昂:Ziang 知行:Zhixing 怀瑾:Huaijin
    博文:Bowen 嘉树:Jiashu 望舒:Wangshu 逸群:Yiqun 冠南:Guannan 维嘉:Weijia 绍棠:Shaotang 君浩:Junhao 泽远:Zeyuan
    振邦:Zhenbang 尔雅:Erya 青松:Qingsong 家明:Jiaming 锦程:Jincheng
""")

_MIDDLE_WOMEN: Final = _names("""
    雅琴:Yaqin 晓燕:Xiaoyan 慧敏:Huimin 静怡:Jingyi 思敏:Simin 佳琳:Jialin 文静:Wenjing 丽娜:Lina 雪梅:Xuemei
    婉清:Wanqing 诗涵:Shihan 海燕:Haiyan 春晓:Chunxiao 若兰:Ruolan 嘉宁:Jianing 晨曦:Chenxi 韵秋:Yunqiu 梦洁:Mengjie
    书瑶:Shuyao 冰月:Bingyue 可欣:Kexin 采薇:Caiwei 明珠:Mingzhu 亦然:Yiran 秋实:Qiushi 映雪:Yingxue
    令仪:Lingyi 舒玉:Shuyu 念慈:Nianci 清云:Qingyun 芷若:Zhiruo 南乔:Nanqiao 如初:Ruchu 安澜:Anlan
    静姝:Jingshu 语桐:Yutong 知夏:Zhixia 慕青:Muqing 以宁:Yining 宛如:Wanru 佩文:Peiwen 云舒:Yunshu 素心:Suxin
    景怡:Jingyi 凝香:Ningxiang 晓棠:Xiaotang 疏影:Shuying 黛眉:Daimei 蔚然:Weiran
""")

_BOYS: Final = _names("""
    子墨:Zimo 浩宇:Haoyu 梓轩:Zixuan 宇辰:Yuchen 沐阳:Muyang 睿哲:Ruizhe 乐天:Letian 星河:Xinghe 小满:Xiaoman
    安然:Anran 亦辰:Yichen 景澄:Jingcheng 屹川:Yichuan 书恒:Shuheng 修远:Xiuyuan 一诺:Yinuo 嘉禾:Jiahe 朝阳:Chaoyang
    北辰:Beichen 知远:Zhiyuan 木白:Mubai 元宝:Yuanbao 望川:Wangchuan 允执:Yunzhi 思源:Siyuan 念初:Nianchu 子衿:Zijin
    云起:Yunqi 怀谷:Huaigu 行止:Xingzhi 禹航:Yuhang 东篱:Dongli 星野:Xingye 长安:Changan 景曜:Jingyao 司南:Sinan
""")

_GIRLS: Final = _names("""
    雨桐:Yutong 欣妍:Xinyan 梓涵:Zihan 诗雅:Shiya 可儿:Keer 沐晴:Muqing 语嫣:Yuyan 乐瑶:Leyao 小禾:Xiaohe
    安歌:Ange 昭昭:Zhaozhao 灵犀:Lingxi 初晴:Chuqing 清欢:Qinghuan 半夏:Banxia 星月:Xingyue 米朵:Miduo 糖糖:Tangtang
    青禾:Qinghe 知意:Zhiyi 予安:Yuan 望月:Wangyue 书言:Shuyan 思无:Siwu 念念:Niannian 蓁蓁:Zhenzhen 云朵:Yunduo
    苒苒:Ranran 一苇:Yiwei 禾苗:Hemiao 冬至:Dongzhi 听雨:Tingyu 阿宁:Aning 如意:Ruyi 忘忧:Wangyou 采采:Caicai
""")

GIVEN_NAMES: Final = {
    (Generation.ELDER, Sex.MALE): _ELDER_MEN,
    (Generation.ELDER, Sex.FEMALE): _ELDER_WOMEN,
    (Generation.MIDDLE, Sex.MALE): _MIDDLE_MEN,
    (Generation.MIDDLE, Sex.FEMALE): _MIDDLE_WOMEN,
    (Generation.CHILD, Sex.MALE): _BOYS,
    (Generation.CHILD, Sex.FEMALE): _GIRLS,
}
